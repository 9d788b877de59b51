/** Classifiers under noise: the loss, at which noise it is taken, and what comes of minimising it. */
import { describe, expect, expectTypeOf, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { div, matmul, mean, reshape, scale, square, sub } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { buildClassifier, type Classifier } from "../../models/index.ts";
import type { Predictor } from "../../models/prediction.ts";
import { subVp, ve, vp } from "../../samplers/sde/index.ts";
import {
  Batches,
  type ClassificationOptions,
  classification,
  noisyAccuracy,
  noisyCrossEntropy,
  packCheckpoint,
  readCheckpoint,
  restore,
  Trainer,
} from "../../train/index.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { zScore } from "../support/near.ts";

const logits = (f: (x: Tensor, sigma: Tensor) => Tensor): Predictor<"logits"> =>
  Object.assign((x: Tensor, sigma: Tensor) => f(x, sigma), { predicts: "logits" as const });

describe("noisyCrossEntropy", () => {
  const [n, pixels, classes] = [5, 6, 4];
  const images = normal([n, pixels], 1).data;
  const weights = normal([pixels, classes], 2).data;
  const labels = [2, 0, 3, 3, 1];
  const sigmas = [0.1, 2, 0.5, 1, 30];
  const draw = { seed: 9, purpose: "perturb", step: 3 } as const;

  /** Of logits W^T (x + sigma z) in float64. */
  const loss64 = (z: ArrayLike<number>, W: Float64Array) =>
    labels.reduce((total, label, i) => {
      const values = Array.from({ length: classes }, (_, k) => {
        let sum = 0;
        for (let p = 0; p < pixels; p++)
          sum += (images[i * pixels + p]! + sigmas[i]! * z[i * pixels + p]!) * W[p * classes + k]!;
        return sum;
      });
      const most = Math.max(...values);
      const partition = most + Math.log(values.reduce((sum, v) => sum + Math.exp(v - most), 0));
      return total + (partition - values[label]!) / n;
    }, 0);

  test("and its gradient are those of float64, with the noise that the draw gives", async () => {
    const [loss, gradient, z] = engine.scope(() => {
      const W = engine.asVariable(engine.tensor(Float32Array.from(weights), [pixels, classes]));
      const x = engine.tensor(Float32Array.from(images), [n, pixels]);
      const y = engine.tensor(Int32Array.from(labels));
      const linear = logits((x) => matmul(x, W));
      const loss = noisyCrossEntropy(linear, x, y, { sigma: engine.tensor(sigmas), draw });
      return [loss, grad(loss, [W])[0]!, randn(engine, [n, pixels], draw)];
    }) as [Tensor, Tensor, Tensor];
    const [value, dW, noise] = (await engine.readAll([loss, gradient, z])) as Float32Array[];
    for (const t of [loss, gradient, z]) t.dispose();
    const exact = loss64(noise!, weights);
    expect(Math.abs(value![0]! / exact - 1)).toBeLessThan(1e-5);

    const length = Math.sqrt(dW!.reduce((sum, g) => sum + g * g, 0));
    const v = normal([pixels, classes], 3).data;
    const along = (e: number) =>
      loss64(
        noise!,
        weights.map((w, i) => w + e * v[i]!),
      );
    const numeric = (along(1e-5) - along(-1e-5)) / 2e-5;
    const analytic = v.reduce((sum, d, i) => sum + d * dW![i]!, 0);
    expect(Math.abs(analytic - numeric)).toBeLessThan(2e-5 * length * Math.sqrt(v.length));
  });
});

describe("the noise of a step", () => {
  const size = 4000;
  const batches = new Batches({
    ...{ count: size, size, seed: 2 },
    order: (_, epoch, count) => Uint32Array.from({ length: count }, (_, i) => (i + epoch) % count),
  });

  /** What a network is told and shown in a step, of black images. */
  async function seen(noise: ClassificationOptions["noise"], step = 0) {
    const objective = classification(engine, { noise, batches, classOf: (i) => i % 2 });
    objective.feed?.(step, 0);
    const found: { sigma?: Tensor; x?: Tensor } = {};
    const network = logits((x, sigma) => {
      Object.assign(found, { sigma: engine.untrack(sigma), x: engine.untrack(x) });
      return matmul(x, engine.ones([2, 2]));
    });
    engine.scope(() =>
      engine.noGrad(() => objective.loss(network, engine.zeros([size, 2]), { seed: 4, step })),
    );
    const [sigma, x] = await engine.readAll([found.sigma!, found.x!]);
    for (const t of [found.sigma!, found.x!]) t.dispose();
    objective.dispose?.();
    return { sigma: [...(sigma as Float32Array)], x: [...(x as Float32Array)] };
  }

  /** Kolmogorov and Smirnov's distance from the uniform law; above 1.95 / sqrt n one time in a thousand. */
  const unevenness = (u: number[]) =>
    Math.max(...u.sort((a, b) => a - b).map((v, i) => Math.max(v - i / u.length, (i + 1) / u.length - v)));

  const sdes = {
    ve: {
      sde: ve({ sigmaMin: 0.01, sigmaMax: 50 }),
      timeOf: (s: number) => Math.log(s / 0.01) / Math.log(5000),
    },
    vp: { sde: vp(), timeOf: (s: number) => integralTime(Math.log1p(s * s)) },
    // std / alpha = 1 / alpha - alpha with log alpha = -B / 2, so that sinh(B / 2) is half of it.
    subvp: { sde: subVp(), timeOf: (s: number) => integralTime(2 * Math.asinh(s / 2)) },
  };
  /** t at which B = int_0^t beta = 0.1 t + 9.95 t^2. */
  const integralTime = (B: number) => (Math.sqrt(0.01 + 39.8 * B) - 0.1) / 19.9;

  test.each(Object.entries(sdes))(
    "of the %s SDE is std / alpha at times even over [eps, T]",
    async (_, c) => {
      const { sigma, x } = await seen(c.sde);
      expect(unevenness(sigma.map(c.timeOf))).toBeLessThan(1.95 / Math.sqrt(size));
      const squares = x.map((v, i) => (v / sigma[i >> 1]!) ** 2); // each is the square of a normal number
      const z = zScore(squares.reduce((a, b) => a + b) / squares.length, 1, Math.SQRT2, squares.length);
      expect(Math.abs(z)).toBeLessThan(4);
    },
  );

  test("of a ladder is each of its scales as often", async () => {
    const ladder = [4, 1, 0.25];
    const { sigma } = await seen(ladder);
    const counts = ladder.map((s) => sigma.filter((v) => v === s).length);
    expect(counts.reduce((a, b) => a + b)).toBe(size);
    for (const count of counts)
      expect(Math.abs(zScore(count / size, 1 / 3, Math.sqrt(2) / 3, size))).toBeLessThan(4);
  });

  test("is another one in another step", async () => {
    expect((await seen([1, 0.5])).x).not.toEqual((await seen([1, 0.5], 1)).x);
    expect((await seen([1, 0.5], 1)).x).toEqual((await seen([1, 0.5], 1)).x);
  });

  test("comes with the classes of the step's images", async () => {
    const few = new Batches({
      ...{ count: 6, size: 4, seed: 2 },
      order: (_, epoch, count) => Uint32Array.from({ length: count }, (_, i) => (5 * i + epoch) % count),
    });
    const objective = classification(engine, { noise: [1e-3], batches: few, classOf: (i) => i % 3 });
    /** Sure that an image that is k everywhere is of class k. */
    const network = logits((x) => {
      const apart = sub(mean(x, { axis: 1, keepDims: true }), engine.tensor([0, 1, 2], [1, 3]));
      return scale(square(apart), -1e4);
    });
    for (const step of [0, 1, 2]) {
      objective.feed?.(step, 0);
      const values = Float32Array.from([...few.images(step)].flatMap((i) => [i % 3, i % 3]));
      const loss = engine.scope(() =>
        engine.noGrad(() => objective.loss(network, engine.tensor(values, [4, 2]), { seed: 1, step })),
      );
      expect(await loss.item()).toBeLessThan(1e-6);
      loss.dispose();
    }
    objective.dispose?.();
  });

  test("is refused where there is none", () => {
    const options = { batches, classOf: () => 0 };
    expect(() => classification(engine, { ...options, noise: [] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classification: got sigma none at place 0, expected positive numbers, descending]`,
    );
    expect(() =>
      classification(engine, { ...options, noise: vp(), eps: 0 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classification: got eps 0, expected a time between 0 and 1]`,
    );
  });
});

describe("noisyAccuracy", () => {
  /** Of images of one pixel, -1 or 1 by their class: p(1 | x) is the logistic function of 2 x / sigma^2. */
  const exact = (x: Tensor, sigma: Tensor) =>
    div(matmul(reshape(x, [-1, 1]), engine.tensor([-1, 1], [1, 2])), reshape(square(sigma), [-1, 1]));
  const count = 4000;
  const measured = (batch: number) =>
    noisyAccuracy(engine, exact, {
      ...{ count, batch, shape: [1, 1, 1], sigmas: [0, 0.5, 1, 2], told: 0.5, seed: 6 },
      fill: (first, n, out) => {
        for (let k = 0; k < n; k++) out[k] = (first + k) % 2 === 0 ? -1 : 1;
      },
      classOf: (i) => i % 2,
    });

  /** Mean and deviation of -log p over the noise, by the trapezium rule. */
  function nats(sigma: number): { mean: number; std: number } {
    let [mean, squares] = [0, 0];
    const step = 0.01;
    for (let z = -9; z <= 9; z += step) {
      const density = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * step;
      const value = Math.log1p(Math.exp((-2 * (1 + sigma * z)) / sigma ** 2));
      mean += density * value;
      squares += density * value ** 2;
    }
    return { mean, std: Math.sqrt(squares - mean ** 2) };
  }

  test("of the exact classifier of two points is the normal law's share within 1 / sigma", async () => {
    const [clean, ...noisy] = await measured(4000);
    expect(clean!.accuracy).toBe(1);
    expect(clean!.crossEntropy).toBeCloseTo(Math.log1p(Math.exp(-8)), 6); // as if there were noise of 0.5
    const shares = [0.9772499, 0.8413447, 0.6914625]; // of 2, 1 and 1/2 standard deviations
    for (const [i, { sigma, accuracy, crossEntropy }] of noisy.entries()) {
      const p = shares[i]!;
      expect(Math.abs(zScore(accuracy, p, Math.sqrt(p * (1 - p)), count))).toBeLessThan(4);
      const { mean, std } = nats(sigma);
      expect(Math.abs(zScore(crossEntropy, mean, std, count))).toBeLessThan(4);
    }
  });

  test("does not depend on how the images are batched", async () => {
    const [whole, parts] = [await measured(4000), await measured(1777)];
    for (const [i, { accuracy, crossEntropy }] of parts.entries()) {
      expect(accuracy).toBe(whole[i]!.accuracy);
      expect(crossEntropy).toBeCloseTo(whole[i]!.crossEntropy, 6);
    }
  });

  test("is refused of no images", async () => {
    const none = { shape: [1], fill: () => {}, classOf: () => 0, sigmas: [1], told: 1, seed: 0 };
    await expect(
      noisyAccuracy(engine, exact, { ...none, count: 0 }),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UsageError: noisyAccuracy: got 0 images at 1 noise scales, expected at least one of each]`,
    );
  });
});

describe("training", () => {
  /** Classes 0, 1 and 2: a bright square in one of three places of a dim image, each image at its own brightness. */
  const classOf = (i: number) => i % 3;
  const bright = (i: number) => 0.6 + (0.4 * ((i * 7919) % 101)) / 101;
  const SIDE = 8;
  function draw(i: number, out: Float32Array, offset: number): void {
    out.fill(0.1, offset, offset + SIDE ** 2);
    const [top, left] = [
      [0, 1],
      [1, 5],
      [5, 2],
    ][classOf(i)] as [number, number];
    for (let y = top; y < top + 3; y++)
      for (let x = left; x < left + 3; x++) out[offset + y * SIDE + x] = bright(i);
  }

  function toyRun() {
    const network: Classifier = buildClassifier(engine, {
      ...{ name: "classifier-small", widths: [4, 8, 8], features: 8, classes: 3, seed: 3 },
      ...{ imageChannels: 1, imageSize: SIDE },
    });
    const batches = new Batches({
      ...{ count: 60, size: 16, seed: 1 },
      order: (seed, epoch, count) =>
        Uint32Array.from({ length: count }, (_, i) => (7 * i + epoch + seed) % count),
    });
    const trainer = new Trainer<"logits">(engine, {
      network,
      objective: () =>
        classification(engine, { noise: ve({ sigmaMin: 0.01, sigmaMax: 10 }), batches, classOf }),
      optimizer: { lr: 0.01, emaDecay: 0.9 },
      shape: [16, 1, SIDE, SIDE],
      batches,
      fill: (indices, out) => {
        for (const [k, i] of indices.entries()) draw(i, out, k * SIDE ** 2);
      },
      seed: 3,
    });
    return {
      network,
      trainer,
      async losses(steps: number) {
        for (let i = 0; i < steps; i++) trainer.advance();
        return (await trainer.reports()).map((r) => r.loss);
      },
      [Symbol.dispose]() {
        trainer.dispose();
        network.dispose();
      },
    };
  }

  test("on separable images tells new ones apart, and knows nothing under much noise", async () => {
    using run = toyRun();
    const [first] = await run.losses(1);
    expect(first).toBeGreaterThan(0.5);
    await run.losses(40);
    const measured = await noisyAccuracy(engine, (x, sigma) => run.network.run(x, sigma), {
      ...{ count: 300, shape: [1, SIDE, SIDE], sigmas: [0, 0.1, 10], told: 0.01, seed: 8 },
      fill: (first, n, out) => {
        for (let k = 0; k < n; k++) draw(1000 + first + k, out, k * SIDE ** 2);
      },
      classOf: (i) => classOf(1000 + i),
    });
    const [clean, slight, heavy] = measured.map((m) => m.accuracy) as [number, number, number];
    expect(clean).toBeGreaterThan(0.98);
    expect(slight).toBeGreaterThan(0.98);
    // Two places differ by 18 pixels of 0.7: a distance of 3, of which noise of 10 leaves 0.15 deviations to either side.
    expect(heavy).toBeLessThan(0.55);
  });

  test("goes on from a checkpoint to the same bits", async () => {
    using whole = toyRun();
    await whole.losses(3);
    const checkpoint = readCheckpoint(await packCheckpoint(whole.network, whole.trainer, ""), "test");
    const rest = await whole.losses(2);
    using resumed = toyRun();
    restore(checkpoint, resumed.network, resumed.trainer);
    expect(await resumed.losses(2)).toEqual(rest);
  });
});

test("a classifier's objective takes no score network, and a score's no classifier", () => {
  type Trained<P extends "score" | "logits"> = ConstructorParameters<typeof Trainer<P>>[1];
  expectTypeOf<Trained<"logits">["network"]>().not.toEqualTypeOf<Trained<"score">["network"]>();
  expectTypeOf<Classifier>().toExtend<Trained<"logits">["network"]>();
  expectTypeOf<Classifier>().not.toExtend<Trained<"score">["network"]>();
});
