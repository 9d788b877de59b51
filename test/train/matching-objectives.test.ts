/** Training by every way of matching a score, on a network whose best weights are known in closed form. */
import { describe, expect, test } from "vitest";
import type { Engine } from "../../engine/engine.ts";
import { reshape } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import { Linear } from "../../models/layers/index.ts";
import { Module } from "../../models/module.ts";
import type { Network } from "../../models/prediction.ts";
import {
  annealed,
  Batches,
  implicitNames,
  matchingNames,
  type Objective,
  packCheckpoint,
  readCheckpoint,
  restore,
  Trainer,
  type TrainerOptions,
  unperturbed,
} from "../../train/index.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

const COUNT = 64;
/** Points (x, y) with a correlation, as images of 1 x 1 x 2. */
const data = (() => {
  const z = normal([COUNT, 2], 11).data;
  return Float32Array.from(z, (v, k) => (k % 2 === 0 ? v : 0.6 * z[k - 1]! + 0.5 * v));
})();

/** s = W x + b, whatever the label. */
class LinearScore extends Module<[x: Tensor, labels: Tensor], Tensor> implements Network<"score"> {
  readonly predicts = "score" as const;
  readonly linear: Linear;

  constructor(of: Engine) {
    super();
    this.linear = new Linear(new Init(of, 3), 2, 2);
    this.nameParts();
  }

  forward(x: Tensor): Tensor {
    return reshape(this.linear.run(reshape(x, [-1, 2])), x.shape);
  }
}

interface Run extends Disposable {
  readonly network: LinearScore;
  readonly trainer: Trainer;
}

/** Training on all points at each step. */
function runBy(objective: (batches: Batches) => Objective, changes: Partial<TrainerOptions> = {}): Run {
  const network = new LinearScore(engine);
  const order = () => Uint32Array.from({ length: COUNT }, (_, i) => i);
  const batches = new Batches({ count: COUNT, size: COUNT, seed: 2, order });
  const trainer = new Trainer(engine, {
    network,
    objective: () => objective(batches),
    optimizer: { lr: 0.1, emaDecay: 0.97 },
    shape: [COUNT, 1, 1, 2],
    batches,
    fill: (_, out) => out.set(data),
    seed: 2,
    ...changes,
  });
  return {
    network,
    trainer,
    [Symbol.dispose]() {
      trainer.dispose();
      network.dispose();
    },
  };
}

async function losses({ trainer }: Run, steps: number): Promise<number[]> {
  const all: number[] = [];
  for (let i = 0; i < steps; i++) {
    trainer.advance();
    if (i % 50 === 49 || i === steps - 1) all.push(...(await trainer.reports()).map((r) => r.loss));
  }
  return all;
}

/** The average of W, and -(C + sigma^2 I)^-1 with the covariance C of the points, row by row. */
async function weights({ trainer }: Run): Promise<number[]> {
  return [...(await trainer.optimizer.tensors().get("ema.linear.weight")!.data())];
}

function best(sigma: number): number[] {
  const mean = [0, 1].map((d) => data.reduce((sum, v, k) => sum + (k % 2 === d ? v / COUNT : 0), 0));
  const c = (i: number, j: number) => {
    let sum = 0;
    for (let n = 0; n < COUNT; n++)
      sum += ((data[2 * n + i]! - mean[i]!) * (data[2 * n + j]! - mean[j]!)) / COUNT;
    return sum + (i === j ? sigma ** 2 : 0);
  };
  const det = c(0, 0) * c(1, 1) - c(0, 1) ** 2;
  return [-c(1, 1) / det, c(0, 1) / det, c(0, 1) / det, -c(0, 0) / det];
}

const STEPS = 200;
/** What the random vectors and noise of a step leave of the average's precision. */
const expectWeights = (got: number[], expected: number[], within: number) =>
  got.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!), `weight ${i}: ${value}, expected ${expected[i]}`).toBeLessThan(
      within,
    );
  });

describe("on the data themselves", () => {
  test("explicit score matching comes to the inverse covariance and to the least loss", async () => {
    using run = runBy(() => unperturbed({ loss: "hyvarinen" }));
    const last = (await losses(run, 2 * STEPS)).at(-1)!;
    const expected = best(0);
    expectWeights(await weights(run), expected, 2e-3);
    expect(last).toBeCloseTo(0.5 * (expected[0]! + expected[3]!), 5); // -tr(C^-1) / 2
  });

  test.each([
    ["ssm", "rademacher", 2],
    ["ssm-vr", "sphere", 1],
  ] as const)("%s along %s vectors, %d each, comes near", async (loss, projection, particles) => {
    using run = runBy(() => unperturbed({ loss, projection, particles }));
    await losses(run, STEPS);
    expectWeights(await weights(run), best(0), 0.35);
  });
});

describe.each(matchingNames)("on a ladder of one scale by %s", (loss) => {
  const sigma = 0.7;
  const objective = (batches: Batches) => annealed(engine, { sigmas: [sigma], batches, loss });

  test("comes near to the inverse covariance of the noisy data", async () => {
    using run = runBy(objective);
    await losses(run, STEPS);
    expectWeights(await weights(run), best(sigma), 0.25);
  });

  test("recorded steps are those that are not recorded, and a checkpoint goes on to the same bits", async () => {
    using recorded = runBy(objective);
    using plain = runBy(objective, { capture: false });
    const all = await losses(recorded, 5);
    expect(await losses(plain, 5)).toEqual(all);
    expect(new Set(all).size).toBe(5);

    const checkpoint = readCheckpoint(await packCheckpoint(recorded.network, recorded.trainer, ""), "test");
    using resumed = runBy(objective);
    restore(checkpoint, resumed.network, resumed.trainer);
    expect(await losses(resumed, 3)).toEqual(await losses(recorded, 3));
  });
});

test("training keeps no memory but its own", async () => {
  for (const loss of implicitNames) {
    const before = engine.memory().live;
    {
      using run = runBy((batches) => annealed(engine, { sigmas: [1, 0.5], batches, loss }));
      await losses(run, 3);
    }
    expect(engine.memory().live).toBe(before);
  }
});

test("a network of the noise is refused", () => {
  const objective = unperturbed({ loss: "ssm-vr" });
  const network = Object.assign((x: Tensor) => x, { predicts: "eps" as const });
  const x = engine.zeros([1, 1, 1, 2]);
  expect(() => objective.loss(network, x, { seed: 1 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: unperturbed: got a network that predicts eps, expected score; train it on an SDE]`,
  );
  x.dispose();
});
