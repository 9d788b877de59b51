/** stein schedule, and training by the losses that it does not need: sliced and explicit score matching. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { pointsOf } from "../../cli/schedule.ts";
import { conform } from "../../data/conform.ts";
import { digits } from "../../data/digits.ts";
import { newFolder, removeFolders, stein, steinHere, tiny, tinyOnSde } from "./stein.ts";

afterAll(removeFolders);

const schedule = async (run: typeof steinHere, args: string, files: Record<string, string> = {}) => {
  const cwd = newFolder(files);
  return { cwd, ...(await run(["schedule", ...args.split(" ").filter(Boolean)], { cwd })) };
};

/** All pairs in float64. */
function bruteForce(count: number, size: number, centered: boolean): number {
  const points = pointsOf(conform(digits({ count }), { size }), centered);
  const rows = Array.from({ length: count }, (_, i) => {
    const row = new Float32Array(points.dimensions);
    points.read(i, row, 0);
    return row;
  });
  let most = 0;
  for (const [i, a] of rows.entries())
    for (const b of rows.slice(0, i)) most = Math.max(most, Math.hypot(...a.map((v, d) => v - b[d]!)));
  return most;
}

describe("stein schedule", () => {
  test("measures a set exactly and writes what a configuration needs", async () => {
    const { cwd, code, stdout } = await schedule(stein, "digits --count 60 --size 8 --out made");
    expect(code).toBe(0);
    const told = JSON.parse(readFileSync(join(cwd, "made/schedule.json"), "utf8"));
    expect(told.measured).toMatchObject({ exact: true });
    expect(told.measured.distance).toBeCloseTo(bruteForce(60, 8, false), 5);
    expect(told).toMatchObject({ dimensions: 64, end: 0.01, nfe: told.steps * told.count + 1 });
    expect(told.begin).toBe(Number(told.measured.distance.toPrecision(4)));
    expect(told.levels).toHaveLength(told.count);
    expect(stdout).toContain(`L = ${told.count}, gamma ${told.gamma.toFixed(5)}`);
    const sections = readFileSync(join(cwd, "made/schedule.yaml"), "utf8");
    const config = parseConfig(`${sections}training: { steps: 1 }\n`, "test");
    expect(config.sigmas).toEqual({ begin: told.begin, end: 0.01, count: told.count });
    expect(config.sampling).toMatchObject({ stepsPerLevel: told.steps, epsilon: told.epsilon });
    expect(readFileSync(join(cwd, "made/schedule.svg"), "utf8")).toMatch(/^<svg/);
  });

  test("takes a configuration's images as its network sees them, and estimates without a GPU", async () => {
    const sampled = async (config: string) => {
      const { code, stdout, announced } = await schedule(
        steinHere,
        "--config run.yaml --sample 3000 --json",
        {
          "run.yaml": config,
        },
      );
      expect(code).toBe(0);
      expect(announced).toEqual([]);
      return JSON.parse(stdout);
    };
    const plain = await sampled(tinyOnSde());
    const centered = await sampled(tinyOnSde({ data: { centered: true } }));
    expect(plain).toMatchObject({ data: "digits (train), 48 images 1x8x8", measured: { exact: false } });
    expect(plain.measured.upperBound).toBeGreaterThanOrEqual(plain.measured.distance);
    expect(centered.measured.distance / plain.measured.distance).toBeCloseTo(2, 5);
  });

  test("gives the published ladder of CIFAR-10 from its sigma, its size and its overlap", async () => {
    const { code, stdout, announced } = await schedule(
      steinHere,
      "--sigma-begin 50 --dimensions 3072 --overlap 0.567 --json",
    );
    expect([code, announced]).toEqual([0, []]);
    expect(JSON.parse(stdout)).toMatchObject({ count: 232, steps: 5, epsilon: 6.2e-6, data: null });
  });

  test.each([
    [
      "",
      "schedule: got no data, expected a data set, --config, or --sigma-begin and --dimensions; try stein schedule digits",
    ],
    [
      "digts",
      'schedule: got data digts, expected digits, mnist, cifar10, folder or a folder of images; did you mean "digits"?',
    ],
    [
      "digits --dimensions 64",
      "schedule: got --dimensions 64 beside digits, whose images tell; leave it out",
    ],
    [
      "--config run.yaml --size 8",
      "schedule: got --size 8 beside --config run.yaml, whose data section tells; leave it out",
    ],
    ["digits --steps 3 --budget 500", "schedule: got --steps 3 and --budget 500, expected one of the two"],
    ["--sigma-begin 0.005 --dimensions 64", "ladder: got begin 0.005, end 0.01, expected begin > end > 0"],
  ])("%s is refused before any GPU work", async (args, says) => {
    const { code, complaints, announced, stdout } = await schedule(steinHere, args);
    expect(complaints).toEqual([`stein: ${says}`]);
    expect([code, announced, stdout]).toEqual([2, [], ""]);
  });
});

describe("training.loss", () => {
  test("ssm-vr trains and is written down with the run", async () => {
    const training = { loss: "ssm-vr", projection: "rademacher", particles: 2, steps: 3 };
    const cwd = newFolder({ "run.yaml": tiny({ training }) });
    const { code, stdout } = await stein(["train", "run.yaml"], { cwd });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^loss -?[\d.]+, mean of the last 3 steps/m);
    const config = parseConfig(readFileSync(join(cwd, "runs/run/config.yaml"), "utf8"), "test");
    expect(config.training).toMatchObject(training);
  });

  test.each([
    [
      tiny({ training: { loss: "sm" } }),
      'training.loss: got "sm", expected dsm, hyvarinen, ssm, ssm-vr; did you mean "dsm"?',
    ],
    [
      tiny({ training: { particles: 2 } }),
      "training.particles: got 2 with the loss dsm, which looks along no vectors, expected training.loss: ssm-vr or ssm",
    ],
    [
      tiny({ training: { loss: "hyvarinen", projection: "sphere" } }),
      'training.projection: got "sphere" with the loss hyvarinen, which looks along no vectors, expected training.loss: ssm-vr or ssm',
    ],
    [
      tinyOnSde({ training: { loss: "ssm" } }),
      'training.loss: got "ssm", expected "dsm": the other losses are for a ladder of noise scales, take out sde',
    ],
  ])("%# is refused", (config, says) => {
    expect(() => parseConfig(config, "run.yaml")).toThrowError(`config: run.yaml: ${says}`);
  });
});
