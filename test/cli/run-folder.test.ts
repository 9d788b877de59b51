/** What a run leaves for people and for machines. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { type MetricsLog, readMetrics } from "../../cli/metrics-log.ts";
import { type Report, reportOf } from "../../cli/report.ts";
import type { Run } from "../../cli/run.ts";
import { readSafetensors } from "../../engine/safetensors.ts";
import { engine } from "../support/engine.ts";
import { newFolder, type Outcome, removeFolders, stein, tiny } from "./stein.ts";

afterAll(removeFolders);

const training = {
  ...{ steps: 10, batchSize: 8, accumulate: 2, lr: 1e-3, warmup: 4, checkpointEvery: 4 },
  ...{ evaluateEvery: 4, sampleEvery: 5, sampleCount: 3 },
};
const cwd = newFolder({ "run.yaml": tiny({ training }) });
const run = join(cwd, "runs", "run");
const textOf = (name: string) => readFileSync(join(run, name), "utf8");
let outcome: Outcome;

beforeAll(async () => {
  outcome = await stein(["train", "run.yaml"], { cwd });
  expect(outcome.code, outcome.complaints.join("\n")).toBe(0);
});

test("the last words tell the figures and where things lie", () => {
  const [what, figures, where, ...rest] = outcome.stdout.trimEnd().split("\n");
  expect(what).toMatch(/ 48 images 1x8x8 of digits \(train\); batch 8 in 2 parts; 3 noise scales$/);
  expect(figures).toMatch(
    /^loss [\d.]+, mean of the last 10 steps; [\d.]+ on held-back images; peak device memory [\d.]+ MiB$/,
  );
  expect(where).toBe("all is told in runs/run/report.md; draw images with: stein sample runs/run");
  expect(rest).toEqual([]);
});

test("every step is a line: its rate as the warm-up says, its time, now and then an evaluation", () => {
  const rows = readMetrics(join(run, "metrics.jsonl"));
  expect(rows.map(({ step }) => step)).toEqual([...Array(10).keys()]);
  expect(rows.map(({ lr }) => lr)).toEqual(rows.map((_, i) => 1e-3 * Math.min(i / 4, 1)));
  expect(rows.flatMap(({ step, evalLoss }) => (evalLoss === undefined ? [] : [step]))).toEqual([3, 7, 9]);
  for (const [i, { seconds, imagesPerSecond, gradNorm }] of rows.entries()) {
    expect(seconds).toBeGreaterThan(rows[i - 1]?.seconds ?? 0);
    expect(imagesPerSecond).toBeGreaterThan(0);
    expect(gradNorm).toBeGreaterThan(0);
  }
});

test("config.yaml is the configuration with its defaults, and stays what it is when read again", () => {
  const text = textOf("config.yaml");
  expect(text).toContain("keepLast: 2\n");
  expect(parseConfig(text, "config.yaml")).toEqual(parseConfig(tiny({ training }), "run.yaml"));
});

describe("the report", () => {
  const report = () => JSON.parse(textOf("report.json")) as Report;

  test("for machines", () => {
    const rows = readMetrics(join(run, "metrics.jsonl"));
    const measured = rows.flatMap(({ evalLoss, step }) =>
      evalLoss === undefined ? [] : [{ evalLoss, step }],
    );
    const best = measured.reduce((a, b) => (b.evalLoss < a.evalLoss ? b : a));
    const { seconds } = rows.at(-1)!;
    expect(report()).toMatchObject({
      ...{ network: "ncsn-small", parameters: 10_433, batchSize: 8, accumulate: 2 },
      data: { name: "digits", images: 48, heldBack: 16, image: [1, 8, 8] },
      steps: { taken: 10, planned: 10 },
      seconds,
      loss: { last: rows.reduce((sum, { loss }) => sum + loss, 0) / 10, over: 10 },
      evaluation: { last: measured.at(-1)!.evalLoss, best: best.evalLoss, bestStep: best.step + 1 },
    });
    const { imagesPerSecond, peakMemory, system, began, written } = report();
    expect(imagesPerSecond! / (80 / seconds)).toBeCloseTo(1, 2);
    expect(peakMemory).toBeGreaterThan(4 * 4 * 10_433); // weights, two moments, averages
    expect(system.driver.source).toMatch(/^(system|embedded)$/);
    expect(system.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
    expect(system).toMatchObject({ node: process.version, platform: `${process.platform} ${process.arch}` });
    expect(Date.parse(began)).toBeLessThanOrEqual(Date.parse(written));
  });

  test("first written late, tells when training began", () => {
    const config = parseConfig(tiny({ training }), "run.yaml");
    const images = { count: 1 };
    const network = { parameters: () => new Map() };
    const trainer = { step: 3, imageShape: [1, 8, 8], engine };
    const begun = { config, train: images, heldBack: images, network, trainer, folder: newFolder({}) };
    const log = { rows: [], seconds: 100, recent: () => 0 };
    const { began, written } = reportOf(begun as unknown as Run, log as unknown as MetricsLog);
    expect(Date.parse(written) - Date.parse(began)).toBe(100_000);
  });

  test("for people, whose pictures are there", () => {
    const text = textOf("report.md");
    expect(text).toMatch(/^# ncsn-small on digits\n/);
    expect(text).toContain("| steps | 10 of 10, batch 8, in 2 parts |");
    const pictures = [...text.matchAll(/!\[[\w ]+\]\((.+)\)/g)].map(([, path]) => path!);
    expect(pictures).toEqual(["loss.svg", "learning-rate.svg", "samples/00000010.png"]);
    for (const name of pictures) expect(existsSync(join(run, name)), name).toBe(true);
    expect(textOf("loss.svg")).toContain(">held back</text>");
  });
});

test("neither evaluations nor samples change what is learnt", async () => {
  const alone = newFolder({
    "run.yaml": tiny({ training: { ...training, evaluateEvery: 0, sampleEvery: 0 } }),
  });
  expect((await stein(["train", "run.yaml"], { cwd: alone })).code).toBe(0);
  const valuesIn = (folder: string) =>
    readSafetensors(readFileSync(join(folder, "checkpoint.safetensors"))).tensors;
  expect(valuesIn(join(alone, "runs", "run"))).toEqual(valuesIn(run));
});

test("samples along the way are as many as asked for", () => {
  expect(readdirSync(join(run, "samples")).sort()).toEqual(["00000005.png", "00000010.png"]);
  const { width, height } = decode(readFileSync(join(run, "samples", "00000010.png")));
  expect([width, height]).toEqual([2 + 2 * 18, 2 + 2 * 18]); // three of 8 x 8, twice as large, in two rows
});

test("samples that lead out of all bounds are told of, and training goes on", async () => {
  const far = { training: { steps: 4, sampleEvery: 2, evaluateEvery: 0 }, sampling: { epsilon: 1e38 } };
  const folder = newFolder({ "far.yaml": tiny(far) });
  const { code, complaints } = await stein(["train", "far.yaml"], { cwd: folder });
  expect(code).toBe(0);
  expect(complaints.filter((line) => line.startsWith("stein:"))).toEqual(
    [2, 4].map((step) =>
      expect.stringMatching(`^stein: after ${step} steps: sample: the images are not finite with step size`),
    ),
  );
  const rows = readMetrics(join(folder, "runs", "far", "metrics.jsonl"));
  expect(rows.map(({ step, evalLoss }) => [step, evalLoss])).toEqual([0, 1, 2, 3].map((i) => [i, undefined]));
  expect(existsSync(join(folder, "runs", "far", "samples"))).toBe(false);
});
