/** stein schedule, and training by the losses that it does not need: sliced and explicit score matching. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type AnnealedConfig, parseConfig, writeConfig } from "../../cli/config.ts";
import { openNetwork, sigmasOf } from "../../cli/network.ts";
import { objectiveOf } from "../../cli/objective.ts";
import { pointsOf } from "../../cli/schedule.ts";
import { conform } from "../../data/conform.ts";
import { order, toBatch } from "../../data/dataset.ts";
import { digits } from "../../data/digits.ts";
import { grad } from "../../engine/autograd.ts";
import { asPredictor } from "../../models/index.ts";
import { annealed, Batches, type Objective } from "../../train/index.ts";
import { engine } from "../support/engine.ts";
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
  const training = { loss: "ssm-vr", projection: "rademacher", particles: 2 } as const;
  const config = parseConfig(tiny({ training }), "test");

  const images = toBatch(conform(digits({ count: 4 }), { size: 8 }), Uint32Array.of(0, 1, 2, 3));

  /** The loss of a step's batch, and its gradient in all that the network learns. */
  async function lossOf(objectiveFor: (batches: Batches) => Objective) {
    const batches = new Batches({ count: 48, size: 4, seed: 1, order });
    const network = openNetwork(engine, config, { channels: 1, height: 8 });
    const objective = objectiveFor(batches);
    objective.feed?.(0, 0);
    const results = engine.scope(() => {
      const x = engine.tensor([...images], [4, 1, 8, 8]);
      const loss = objective.loss(asPredictor(network), x, { seed: 1, step: 0 });
      return [loss, ...grad(loss, [...network.parameters().values()])];
    });
    const values = await engine.readAll(results);
    for (const t of results) t.dispose();
    objective.dispose?.();
    network.dispose();
    return values;
  }

  test("ssm-vr and its vectors reach the network, and are written down with the run", async () => {
    expect(parseConfig(writeConfig(config), "again").training).toMatchObject(training);
    const configured = await lossOf((batches) => objectiveOf(engine, config, batches));
    const { annealPower } = config.training as AnnealedConfig["training"];
    const by = (changes: object) =>
      lossOf((batches) =>
        annealed(engine, { sigmas: sigmasOf(config), batches, annealPower, ...training, ...changes }),
      );
    expect(configured).toEqual(await by({}));
    for (const values of configured) expect(values.every(Number.isFinite)).toBe(true);
    expect(configured.slice(1).some((values) => values.some((v) => v !== 0))).toBe(true);
    for (const changes of [{ loss: "ssm" }, { projection: "gaussian" }, { particles: 1 }])
      expect((await by(changes))[0], JSON.stringify(changes)).not.toEqual(configured[0]);
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
