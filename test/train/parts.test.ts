/** A batch that goes through the network in parts is the same batch. */
import { describe, expect, test } from "vitest";
import { buildScoreNet } from "../../models/index.ts";
import { ve } from "../../samplers/index.ts";
import { Batches, sdeObjective } from "../../train/index.ts";
import { engine } from "../support/engine.ts";
import { digitsRun, losses, type SmallRun, smallRun } from "./small-run.ts";

const shape = [8, 1, 8, 8] as const;
const optimizer = { lr: 1e-3, emaDecay: 0.99 };

/** First moments of Adam after one step, which are a tenth of the gradients: as one vector. */
async function gradientsOf({ trainer }: Pick<SmallRun, "trainer">): Promise<number[]> {
  const moments = [...trainer.optimizer.tensors()].filter(([name]) => name.startsWith("m."));
  const values = await engine.readAll(moments.map(([, t]) => t));
  return values.flatMap((v) => [...v]);
}

const length = (v: readonly number[]) => Math.sqrt(v.reduce((sum, x) => sum + x * x, 0));

describe.each([
  ["recorded", true],
  ["step by step", false],
])("%s", (_, capture) => {
  test.each([2, 8])("in %i parts, loss, gradients and their norm are the whole batch's", async (parts) => {
    using whole = smallRun(engine, { shape, optimizer, capture });
    using inParts = smallRun(engine, { shape, optimizer, capture, parts });
    const reports = [];
    for (const { trainer } of [whole, inParts]) {
      trainer.advance();
      reports.push((await trainer.reports())[0]!);
    }
    const [a, b] = reports;
    expect(Math.abs(b!.loss / a!.loss - 1)).toBeLessThan(2e-6);
    expect(Math.abs(b!.gradNorm / a!.gradNorm - 1)).toBeLessThan(1e-5);
    const [g, h] = [await gradientsOf(whole), await gradientsOf(inParts)];
    expect(length(g.map((v, i) => v - h[i]!)) / length(g)).toBeLessThan(1e-5);
  });
});

test("the losses of more steps follow those of whole batches, clipped gradients and all", async () => {
  const settings = { shape, optimizer: { ...optimizer, warmup: 3 }, gradClip: 0.5 };
  using whole = smallRun(engine, settings);
  using inParts = smallRun(engine, { ...settings, parts: 4 });
  const [a, b] = [await losses(whole, 8), await losses(inParts, 8)];
  for (const [i, loss] of a.entries()) expect(Math.abs(b[i]! / loss - 1), `step ${i}`).toBeLessThan(1e-4);
});

test("so do times, noise and dropout drawn on the device", async () => {
  const run = (parts: number, dropout: number) => {
    const network = buildScoreNet(engine, {
      ...{ name: "ncsnpp", nf: 8, chMult: [1], numResBlocks: 1, attnResolutions: [], dropout },
      ...{ imageChannels: 1, imageSize: 8, sigmas: [1, 0.1], seed: 5 },
    });
    const objective = () =>
      sdeObjective(ve({ sigmaMin: 0.01, sigmaMax: 8, steps: 20 }), { continuous: true, reduceMean: true });
    return digitsRun(engine, network, objective, { shape, optimizer: { lr: 1e-2 }, parts });
  };
  using whole = run(1, 0.3);
  using inParts = run(4, 0.3);
  using without = run(1, 0);
  const [a, b, c] = [await losses(whole, 4), await losses(inParts, 4), await losses(without, 4)];
  for (const [i, loss] of a.entries()) expect(Math.abs(b[i]! / loss - 1), `step ${i}`).toBeLessThan(1e-4);
  expect(Math.abs(c[3]! / a[3]! - 1)).toBeGreaterThan(1e-3); // dropout is not nothing
});

test("the device's memory is that of a part, with one more set of gradients", () => {
  const memoryOf = (n: number, parts = 1) => {
    using run = smallRun(engine, { shape: [n, 1, 8, 8], optimizer, parts });
    return run.trainer.memory();
  };
  const [part, whole, inParts] = [memoryOf(4), memoryOf(32), memoryOf(32, 8)];
  expect(inParts.saved).toBe(part.saved);
  expect(inParts.gradients).toBe(part.gradients + part.weights + 4); // and the loss
  expect(inParts.peak).toBeLessThan(part.peak + 2 * part.weights);
  expect(inParts.peak).toBeLessThan(0.4 * whole.peak);
});

test("a part that is not finite is found, whichever it is, and leaves the weights alone", async () => {
  using run = smallRun(engine, {
    shape,
    parts: 4,
    fill: (_, out, step) => {
      out.fill(0.5);
      if (step === 1) out[6 * 64 + 3] = Number.NaN; // in the last part
    },
  });
  await losses(run, 1);
  const before = await run.network.state();
  run.trainer.advance();
  await expect(run.trainer.reports()).rejects.toThrow(/^train: the loss is not finite at step 1, first in /);
  for (const [name, { data }] of await run.network.state())
    expect(data, name).toEqual(before.get(name)!.data);
  expect(await losses(run, 1)).toEqual([expect.any(Number)]); // what was not finite is forgotten
});

test("parts that are not equal are refused", () => {
  const order = () => new Uint32Array();
  expect(
    () => new Batches({ count: 5, size: 8, parts: 3, seed: 0, order }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: Batches: got parts 3 of batches of 8, expected a divisor of 8]`,
  );
});

test("labels of the parts, one after the other, are those of the batch", () => {
  const of = (parts: number) =>
    new Batches({ count: 5, size: 12, parts, seed: 3, order: (_, __, n) => new Uint32Array(n) });
  const inParts = [0, 1, 2].flatMap((part) => [...of(3).labels(7, 10, part)]);
  expect(inParts).toEqual([...of(1).labels(7, 10)]);
});
