/** Runs at the ends of what a configuration may say. */
import { expect, test } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { openImages, openRun } from "../../cli/run.ts";
import { packCheckpoint, readCheckpoint, restore } from "../../train/checkpoint.ts";
import { engine } from "../support/engine.ts";
import { tiny } from "./stein.ts";

type Changes = Parameters<typeof tiny>[0];

function open(changes: Changes) {
  const run = openRun(engine, parseConfig(tiny(changes), "test"), "unused");
  return {
    ...run,
    [Symbol.dispose]() {
      run.trainer.dispose();
      run.network.dispose();
    },
  };
}
type Opened = ReturnType<typeof open>;

async function lossesOf({ trainer }: Opened, steps: number): Promise<number[]> {
  for (let i = 0; i < steps; i++) trainer.advance();
  return (await trainer.reports()).map(({ loss }) => loss);
}

/** The weights and their running averages, name by name. */
async function valuesOf({ network, trainer }: Opened): Promise<{ weights: number[]; averages: number[] }> {
  const { ema } = trainer.optimizer;
  const [weights, averages] = [[] as number[], [] as number[]];
  for (const [name, t] of network.parameters()) {
    weights.push(...(await t.data()));
    averages.push(...(await ema!.shadow.get(name)!.data()));
  }
  return { weights, averages };
}

test("a set of one image is refused, for one is held back; of two there is one to train on, again and again", async () => {
  const data = { count: 1, heldBack: 1 };
  expect(() => openImages(parseConfig(tiny({ data }), "test"))).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: data: got one image, expected at least two, one of them to be held back; add images]`,
  );

  using run = open({ data: { count: 2, heldBack: 1 }, training: { batchSize: 9, accumulate: 3 } });
  expect([run.train.count, run.heldBack.count]).toEqual([1, 1]);
  const losses = await lossesOf(run, 3);
  expect(losses.every(Number.isFinite)).toBe(true);
  expect(await run.evaluation!.loss()).toBeGreaterThan(0);

  const value = new Float32Array(64);
  run.train.image(0, value, 0);
  expect(value.some((v) => v > 0)).toBe(true);
});

test("a batch larger than the set has its images in whole epochs, one after the other", async () => {
  using run = open({ data: { count: 8, heldBack: 3 }, training: { batchSize: 12 } });
  expect((await lossesOf(run, 2)).every(Number.isFinite)).toBe(true);
});

test("the average of decay 0 is the newest weights", async () => {
  for (const emaWarmup of [true, false]) {
    using run = open({ training: { emaDecay: 0, emaWarmup, lr: 0.01 } });
    await lossesOf(run, 3);
    const { weights, averages } = await valuesOf(run);
    expect(Math.max(...weights.map((w, i) => Math.abs(w - averages[i]!)))).toBeLessThan(1e-7);
  }
});

test("a run that goes on with another decay averages by that from there on", async () => {
  using before = open({ training: { emaDecay: 0.5, emaWarmup: false, lr: 0.01 } });
  await lossesOf(before, 3);
  const bytes = await packCheckpoint(before.network, before.trainer, "config");
  const { averages: old } = await valuesOf(before);

  using after = open({ training: { emaDecay: 0.9, emaWarmup: false, lr: 0.01 } });
  restore(readCheckpoint(bytes, "test"), after.network, after.trainer);
  await lossesOf(after, 1);
  await lossesOf(before, 1);
  const [went, stayed] = [await valuesOf(after), await valuesOf(before)];
  expect(went.weights).toEqual(stayed.weights); // the average moves no weight
  const off = went.averages.map((average, i) => Math.abs(average - (0.9 * old[i]! + 0.1 * went.weights[i]!)));
  expect(Math.max(...off)).toBeLessThan(1e-7);
  const same = stayed.averages.map((average, i) => Math.abs(average - (old[i]! + went.weights[i]!) / 2));
  expect(Math.max(...same)).toBeLessThan(1e-7);
});

test("without a warm-up the first step moves the weights, with one it does not", async () => {
  const moved = async (warmup: number) => {
    using run = open({ training: { warmup, lr: 0.01 } });
    const before = (await valuesOf(run)).weights;
    await lossesOf(run, 1);
    const { weights } = await valuesOf(run);
    return Math.max(...weights.map((w, i) => Math.abs(w - before[i]!)));
  };
  expect(await moved(0)).toBeCloseTo(0.01, 4); // Adam's first step is the rate in each weight
  expect(await moved(4)).toBe(0);
});
