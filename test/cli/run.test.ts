/** What a configuration says of training reaches the trainer. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { readMetrics } from "../../cli/metrics-log.ts";
import { openRun } from "../../cli/run.ts";
import { train } from "../../cli/training-loop.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Evaluation } from "../../train/evaluation.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, stein, tiny, tinyOnSde } from "./stein.ts";

afterAll(removeFolders);

const firstLosses = (changes: Parameters<typeof tiny>[0]) => firstLossesOf(tiny(changes));

async function firstLossesOf(config: string): Promise<number[]> {
  const run = openRun(engine, parseConfig(config, "test"), "unused");
  for (let i = 0; i < 3; i++) run.trainer.advance();
  const reports = await run.trainer.reports();
  run.trainer.dispose();
  run.network.dispose();
  return reports.map(({ loss }) => loss);
}

test("flips, dequantization and Adam's eps change the losses, each from the step on that it acts on", async () => {
  const plain = await firstLosses({});
  expect(await firstLosses({ data: { flip: false, uniformDequantization: false } })).toEqual(plain);

  const flipped = await firstLosses({ data: { flip: true } });
  expect(flipped).not.toEqual(plain);
  expect(await firstLosses({ data: { flip: true } })).toEqual(flipped);

  const spread = await firstLosses({ data: { uniformDequantization: true } });
  expect(spread[0]).not.toBe(plain[0]);
  expect(spread[0]).toBeCloseTo(plain[0]!, 0); // by a 256th

  const dull = await firstLosses({ training: { eps: 1000 } });
  expect(dull[0]).toBe(plain[0]); // the first update is still to come
  expect(dull[1]).not.toBe(plain[1]);
});

test("what a configuration on an SDE says reaches the losses", async () => {
  const losses = (changes: Parameters<typeof tinyOnSde>[0]) => firstLossesOf(tinyOnSde(changes));
  const plain = await losses({});
  expect(plain[0]).toBeCloseTo(1, 0); // that of a network that says nothing yet
  expect(await losses({})).toEqual(plain);

  const [summed] = await losses({ training: { reduceMean: false } });
  expect(summed! / plain[0]!).toBeCloseTo(64 / 2, 3);

  const [weighted] = await losses({ training: { likelihoodWeighting: true } });
  expect(weighted! / plain[0]!).toBeCloseTo(2 * Math.log(8 / 0.01), 3);

  const inSteps = await losses({ sde: { continuous: false } });
  expect(inSteps[0]).toBeCloseTo(1, 0);
  expect(inSteps[2]).not.toBe(plain[2]);

  const dropped = await losses({ model: { dropout: 0.5 } });
  expect(dropped[2]).not.toBe(plain[2]);

  const first = (await losses({ training: { warmup: 1000 } }))[1];
  expect(first).not.toBe(plain[1]); // the first step's learning rate is 0
});

test("training.accumulate sends batches through in parts: the losses stay, less is kept", async () => {
  const [plain, inParts] = [await firstLosses({}), await firstLosses({ training: { accumulate: 4 } })];
  for (const [i, loss] of plain.entries()) expect(Math.abs(inParts[i]! / loss - 1)).toBeLessThan(1e-4);
  const peakOf = (accumulate: number) => {
    const run = openRun(
      engine,
      parseConfig(tiny({ training: { batchSize: 32, accumulate } }), "test"),
      "unused",
    );
    const { peak } = run.trainer.memory();
    run.trainer.dispose();
    run.network.dispose();
    return peak;
  };
  expect(peakOf(8)).toBeLessThan(0.4 * peakOf(1));
});

test("held-back images are measured on by one measure, in as many parts of a batch as they fill", async () => {
  const measure = async (changes: Parameters<typeof tiny>[0]) => {
    const run = openRun(engine, parseConfig(tiny(changes), "test"), "unused");
    const loss = await run.evaluation?.loss();
    run.trainer.dispose();
    run.network.dispose();
    return loss;
  };
  const loss = await measure({});
  expect(loss).toBeGreaterThan(0);
  expect(await measure({})).toBe(loss);
  expect(await measure({ data: { flip: true } })).toBe(loss); // the images are as they are
  expect(await measure({ data: { uniformDequantization: true } })).not.toBe(loss);
  expect(await measure({ data: { heldBack: 19 } })).toBeGreaterThan(0); // 16 of them
  expect(await measure({ data: { heldBack: 3 } })).toBeGreaterThan(0); // less than a batch
  expect(await measure({ training: { evaluateEvery: 0 } })).toBe(undefined);
});

test("a measurement that is not finite is told of and left out, and training goes on", async () => {
  const folder = newFolder();
  const run = openRun(
    engine,
    parseConfig(tiny({ training: { steps: 4, evaluateEvery: 2 } }), "test"),
    folder,
  );
  const measured = [NaN, 3];
  const evaluation = { loss: async () => measured.shift()! } as Evaluation<"score" | "eps">;
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  vi.spyOn(console, "log").mockImplementation(() => {});
  try {
    await train({ ...run, evaluation });
    expect(said.mock.calls).toEqual([["stein: after 2 steps: the loss on held-back images is not finite"]]);
  } finally {
    vi.restoreAllMocks();
    run.trainer.dispose();
    run.network.dispose();
  }
  const rows = readMetrics(join(folder, "metrics.jsonl"));
  expect(rows.map(({ evalLoss }) => evalLoss)).toEqual([undefined, undefined, undefined, 3]);
  const { evaluation: reported } = JSON.parse(readFileSync(join(folder, "report.json"), "utf8"));
  expect(reported).toEqual({ last: 3, best: 3, bestStep: 4 });
});

test("what is trained for a likelihood is dequantized, unless told otherwise", () => {
  const dequantized = (likelihoodWeighting: boolean, data = {}) =>
    parseConfig(tinyOnSde({ training: { likelihoodWeighting }, data }), "test").data.uniformDequantization;
  expect(dequantized(false)).toBe(undefined);
  expect(dequantized(true)).toBe(true);
  expect(dequantized(true, { uniformDequantization: false })).toBe(false);
});

test("the images of a configuration with data.centered are 2 x - 1, once", async () => {
  const images = async (centered: boolean) => {
    const run = openRun(engine, parseConfig(tinyOnSde({ data: { centered } }), "test"), "unused");
    let x: Tensor | undefined;
    engine.observer = ({ inputs }) => {
      x ??= inputs.find((t) => t?.rank === 4); // before the noise
    };
    engine.scope(() => run.trainer.passes());
    engine.observer = undefined;
    const values = [...(await x!.data())];
    run.trainer.dispose();
    run.network.dispose();
    return values;
  };
  const plain = await images(false);
  expect([Math.min(...plain), Math.max(...plain)]).toEqual([0, expect.closeTo(1, 0)]);
  expect(await images(true)).toEqual(plain.map((v) => Math.fround(2 * v - 1)));
});

test.each([
  ["ve", true, "on the VE SDE"],
  ["vp", false, "on the VP SDE in 20 steps"],
  ["subvp", true, "on the sub-VP SDE"],
])("stein train knows %s, continuous %s", async (name, continuous, told) => {
  const sde = { name, continuous, ...(name !== "ve" && { sigmaMax: undefined }) };
  const cwd = newFolder({ "run.yaml": tinyOnSde({ sde, training: { steps: 3 } }) });
  const { code, stdout } = await stein(["train", "run.yaml", "--verify"], { cwd });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^verify: \d+ ops of a step with 2 images agree with float64, worst \w+ by /m);
  expect(stdout).toContain(`48 images 1x8x8 of digits (train); batch 4; ${told}\n`);
  expect(stdout).toMatch(/^loss [\d.]+, mean of the last 3 steps/m);
});

test("training.checkpointing reaches the network: less is kept, the losses stay", async () => {
  const saved = (checkpointing: boolean) => {
    const run = openRun(engine, parseConfig(tiny({ training: { checkpointing } }), "test"), "unused");
    const { saved } = run.trainer.memory();
    run.trainer.dispose();
    run.network.dispose();
    return saved;
  };
  expect(saved(true)).toBeLessThan(0.7 * saved(false));
  const [plain, again] = [await firstLosses({}), await firstLosses({ training: { checkpointing: true } })];
  for (const [i, loss] of plain.entries()) expect(Math.abs(again[i]! / loss - 1)).toBeLessThan(1e-4);
});

test.runIf(engine.device.features.has("shader-f16"))(
  "stein train tells what mixed precision costs",
  async () => {
    const cwd = newFolder();
    writeFileSync(join(cwd, "run.yaml"), tiny({}));
    const { code, stdout } = await stein(["train", "run.yaml", "--precision", "mixed", "--checkpointing"], {
      cwd,
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^mixed precision: on the first batch the loss is off by [\d.]+e-\d and the gradients by [\d.]+e-\d of what f32 gives$/m,
    );
    const config = readFileSync(join(cwd, "runs/run/config.yaml"), "utf8");
    expect(config).toContain("precision: mixed");
    expect(config).toContain("checkpointing: true");
  },
);
