import { describe, expect, test } from "vitest";
import { mixtureInOps } from "../../bench/figures/mixture-in-ops.ts";
import { add, log, matmul, mul, reshape, scale, softmax, square } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { logProbGrad } from "../../models/classifier.ts";
import {
  asScore,
  classConditional,
  colorize,
  inpaint,
  type Operator,
  type PredictorCorrectorOptions,
  predictorCorrector,
  solveInverse,
  ve,
  vp,
} from "../../samplers/index.ts";
import { type Plan, planOf } from "../../samplers/pc-options.ts";
import { engine } from "../support/engine.ts";
import { zScore } from "../support/near.ts";
import { inverse, type Matrix, type Point, times } from "./closed-form.ts";
import { diffusedGaussian, diffusedMixture, rowsOf } from "./diffused.ts";
import { expectGaussian, expectMeans, type Moments } from "./moments.ts";

const sdes = {
  ve: (steps: number) => ve({ sigmaMin: 0.01, sigmaMax: 50, steps }),
  vp: (steps: number) => vp({ steps }),
};

/** N(0, [[1, 0.9], [0.9, 1]]), in which a known place tells much of the other. */
const pair = {
  mean: [0, 0],
  axes: [
    [Math.SQRT1_2, Math.SQRT1_2],
    [-Math.SQRT1_2, Math.SQRT1_2],
  ],
  variances: [1.9, 0.1],
};

/** The gray axis of red, green and blue, and one of colour: Song et al. 2021, appendix I.3. */
const GRAY = [1, 1, 1].map((v) => v / Math.sqrt(3));
const COLOUR = [-2, 1, 1].map((v) => v / Math.sqrt(6));
const plusMinus = (sign: number) => GRAY.map((gray, i) => Math.SQRT1_2 * (COLOUR[i]! + sign * gray));

/** x <- x + B (y(t) - A x) by what it comes to: B A, and B y. */
interface Held {
  readonly seen: Matrix;
  readonly answer: Point;
}

const firstIs = (y: number): Held => ({
  seen: [
    [1, 0],
    [0, 0],
  ],
  answer: [y, 0],
});

/** x_1 + 2 x_2 = y, answered for in a share: all of it, or less. */
const sumIs = (y: number, share: number): Held => {
  const c = share / 5;
  return {
    seen: [
      [c, 2 * c],
      [2 * c, 4 * c],
    ],
    answer: [c * y, 2 * c * y],
  };
};
const weighedSum = (share: number): Operator => ({
  name: "weighedSum",
  apply: (x) => matmul(x, engine.tensor([1, 2], [2, 1])),
  answer: (residual) => mul(residual, engine.tensor([share / 5, (2 * share) / 5], [1, 2])),
});

/**
 * Moments at the end of a chain whose score is the pair's. Every state is Gaussian: x <- K x + noise moves them by
 * m <- K m and C <- K C K^T + noise, with K = keep - pull V^-1 in an update and 1 - B A where x is held.
 */
function recursion(plan: Plan, priorStd: number, { seen, answer }: Held): Moments {
  let mean: Point = [0, 0];
  let covariance = scalar(priorStd ** 2);
  const move = (k: Matrix, shift: Point, noise: Matrix) => {
    mean = [
      k[0][0] * mean[0] + k[0][1] * mean[1] + shift[0],
      k[1][0] * mean[0] + k[1][1] * mean[1] + shift[1],
    ];
    covariance = plus(times(times(k, covariance), transpose(k)), noise);
  };
  const hold = (alpha: number, std: number) =>
    move(
      plus(scalar(1), by(-1, seen)),
      [alpha * answer[0], alpha * answer[1]],
      by(std ** 2, times(seen, transpose(seen))),
    );
  hold(1, 0);
  for (const { marginal, correct, predict } of plan.times) {
    const { alpha, std } = marginal;
    const precision = inverse([
      [alpha ** 2 + std ** 2, 0.9 * alpha ** 2],
      [0.9 * alpha ** 2, alpha ** 2 + std ** 2],
    ]);
    const update = ({ keep, pull, noise }: typeof predict) =>
      move(plus(scalar(keep), by(-pull, precision)), [0, 0], scalar(noise ** 2));
    for (let j = 0; j < plan.correctorSteps; j++) update(correct);
    hold(alpha, std);
    update(predict);
    hold(alpha, std);
  }
  return { mean, covariance };
}

const scalar = (s: number): Matrix => [
  [s, 0],
  [0, s],
];
const transpose = ([[a, b], [c, d]]: Matrix): Matrix => [
  [a, c],
  [b, d],
];
const by = (s: number, [[a, b], [c, d]]: Matrix): Matrix => [
  [s * a, s * b],
  [s * c, s * d],
];
const plus = ([[a, b], [c, d]]: Matrix, [[e, f], [g, h]]: Matrix): Matrix => [
  [a + e, b + f],
  [c + g, d + h],
];

const runs = [
  { sde: "ve", predictor: "reverse_diffusion", corrector: "none" },
  { sde: "ve", predictor: "ancestral_sampling", corrector: "ald", correctorSteps: 2 },
  { sde: "vp", predictor: "euler_maruyama", corrector: "ald" },
] as const;

describe.each(runs)(
  "10,000 chains have the moments of the exact recursion: $sde, $predictor, $corrector",
  (run) => {
    const n = 10_000;
    const sde = sdes[run.sde](24);
    const options = { ...run, sde, seed: 8, condition: (t: number) => t, denoise: false };
    const expected = (held: Held) => recursion(planOf(options), sde.priorStd, held);
    const holds = async (sampled: Promise<{ x: Tensor }>, held: Held) => {
      const { x } = await sampled;
      expectGaussian(await x.data(), expected(held));
      x.dispose();
    };

    test("of inpainting", async () => {
      using target = diffusedGaussian(engine, sde, pair);
      using known = engine.tensor([2, 77], [1, 2]);
      using mask = engine.tensor([1, 0]);
      await holds(inpaint(engine, target.score, [n, 2], { ...options, known, mask }), firstIs(2));
    });

    test("of colorization: gray and one colour are the pair, the other colour is for itself", async () => {
      const coordinates = {
        mean: [0, 0, 0],
        // Along gray + colour, colour - gray and the other colour, in terms of red, green and blue.
        axes: [plusMinus(1), plusMinus(-1), [0, Math.SQRT1_2, -Math.SQRT1_2]],
        variances: [...pair.variances, 0.4],
      };
      using target = diffusedGaussian(engine, sde, coordinates);
      const score = asScore((x, t) => reshape(target.score(reshape(x, [n, 3]), t), x.shape));
      using gray = engine.full([1, 1, 1, 1], 2 / Math.sqrt(3));
      const { x } = await colorize(engine, score, [n, 3, 1, 1], { ...options, gray });
      const along = rowsOf(await x.data(), 3).map((row) =>
        [GRAY, COLOUR, coordinates.axes[2]!].map((axis) => axis.reduce((sum, a, i) => sum + a * row[i]!, 0)),
      );
      x.dispose();
      expectGaussian(
        along.flatMap(([known, drawn]) => [known!, drawn!]),
        expected(firstIs(2)),
      );
      const alone = planOf(options).times.reduce(
        (variance, { marginal: { alpha, std }, correct, predict }) => {
          const precision = 1 / (alpha ** 2 * 0.4 + std ** 2);
          const after = (v: number, { keep, pull, noise }: typeof predict) =>
            (keep - pull * precision) ** 2 * v + noise ** 2;
          const correctors = Array.from({ length: planOf(options).correctorSteps }, () => correct);
          return [...correctors, predict].reduce(after, variance);
        },
        sde.priorStd ** 2,
      );
      expectGaussian(
        along.flatMap(([, drawn, other]) => [other!, drawn!]),
        {
          mean: [0, expected(firstIs(2)).mean[1]],
          covariance: [
            [alone, 0],
            [0, expected(firstIs(2)).covariance[1][1]],
          ],
        },
      );
    });

    test.each([1, 0.5])("of an inverse problem, answered for in a share of %f", async (share) => {
      using target = diffusedGaussian(engine, sde, pair);
      using observed = engine.full([n, 1], 3);
      const operator = weighedSum(share);
      const sampled = solveInverse(engine, target.score, [n, 2], { ...options, observed, operator });
      await holds(sampled, sumIs(3, share));
    });
  },
);

describe("the recursion against the conditional law", () => {
  /** In 1000 steps. */
  const law = (
    sde: keyof typeof sdes,
    held: Held,
    corrected: Partial<PredictorCorrectorOptions>,
  ): Moments => {
    const built = sdes[sde](1000);
    return recursion(planOf({ sde: built, seed: 0, denoise: false, ...corrected }), built.priorStd, held);
  };
  const none = { corrector: "none" } as const;
  const ald = (correctorSteps: number) => ({ corrector: "ald", correctorSteps }) as const;

  // Given x_1 = 2 the other has mean 1.8 and variance 0.19.
  test.each([
    ["ve", none, 1.25, 0.31],
    ["ve", ald(1), 1.68, 0.21],
    ["ve", ald(10), 1.79, 0.19],
    ["vp", none, 1.25, 0.31],
    ["vp", ald(1), 1.63, 0.23],
    ["vp", ald(10), 1.75, 0.2],
  ] as const)(
    "%s, %o: the place to be drawn has mean %f and variance %f",
    (sde, corrected, mean, variance) => {
      const end = law(sde, firstIs(2), corrected);
      expect(end.mean[1]).toBeCloseTo(mean, 2);
      expect(end.covariance[1][1]).toBeCloseTo(variance, 2);
    },
  );

  // Given x_1 + x_2 = 2, on which x_1 - x_2 does not depend, both means are 1 and both variances 0.05.
  test.each([
    ["ve", none],
    ["vp", none],
    ["ve", ald(1)],
  ] as const)("%s, %o: exact where what is drawn does not depend on what is known", (sde, corrected) => {
    const mean: Held = {
      seen: [
        [0.5, 0.5],
        [0.5, 0.5],
      ],
      answer: [1, 1],
    };
    const end = law(sde, mean, corrected);
    expect(end.mean[0]).toBeCloseTo(1, 3);
    expect(end.covariance[0][0]).toBeCloseTo(0.05, 2);
  });
});

describe("a class of a mixture", () => {
  const components = [
    { weight: 0.7, mean: [0.2, 0.3], sigma: 0.1 },
    { weight: 0.3, mean: [0.8, 0.6], sigma: 0.06 },
  ] as const;
  /** p(class | component): classes are not components, so that each has both. */
  const shares = [
    [0.9, 0.1],
    [0.35, 0.65],
  ] as const;
  const givenClass = (c: number) => {
    const joint = components.map(({ weight }, k) => weight * shares[k]![c]!);
    const total = joint.reduce((a, b) => a + b);
    const [first, second] = components.map((part, k) => ({ ...part, weight: joint[k]! / total }));
    return [first!, second!] as const;
  };

  /** The score of the mixture and the exact log p_t(class | x), whose gradient is autograd's. */
  function guidance(labels: Tensor) {
    const sde = ve({ sigmaMin: 0.01, sigmaMax: 8, steps: 150 });
    const mixture = diffusedMixture(engine, sde, components);
    const law = mixtureInOps(engine, {
      weights: components.map((c) => c.weight),
      means: components.flatMap((c) => c.mean),
      stds: components.map((c) => c.sigma),
    });
    const logits = (x: Tensor, t: Tensor) => {
      const { alpha, std } = sde.marginal(t);
      const whence = softmax(law.logTerms(x, { a: alpha, v: square(std) }));
      return log(add(matmul(whence, engine.tensor(shares.flat(), [2, 2])), 1e-30));
    };
    const pull = (x: Tensor, t: Tensor) => logProbGrad(logits, x, t, labels);
    return {
      sde,
      score: mixture.score,
      pull,
      [Symbol.dispose]() {
        mixture[Symbol.dispose]();
        law[Symbol.dispose]();
      },
    };
  }

  const squaredDistance = (points: Float32Array, i: number, [x, y]: readonly [number, number]) =>
    (points[2 * i]! - x) ** 2 + (points[2 * i + 1]! - y) ** 2;

  test.each([0, 1])(
    "%i: the score is that of the mixture with its weights given the class",
    async (label) => {
      using labels = engine.full([40], label, "i32");
      using guide = guidance(labels);
      using exact = diffusedMixture(engine, guide.sde, givenClass(label));
      const points = Float32Array.from({ length: 80 }, (_, i) => Math.sin(7 * i));
      const [got, expected] = engine.scope(() => {
        const x = engine.tensor(points, [40, 2]);
        const t = engine.tensor(Float32Array.from({ length: 40 }, (_, i) => (i + 1) / 40));
        const guided = classConditional(guide.score, guide.pull);
        return [engine.noGrad(() => guided(x, t)), exact.score(x, t)];
      }) as [Tensor, Tensor];
      const [a, b] = await engine.readAll([got, expected]);
      for (const t of [got, expected]) t.dispose();
      for (const [i, value] of b!.entries())
        expect(Math.abs(a![i]! - value)).toBeLessThan(1e-4 * (1 + Math.abs(value)));
    },
  );

  test("10,000 chains, half of either class: the components have their weights given the class", async () => {
    const n = 10_000;
    using labels = engine.tensor(Int32Array.from({ length: n }, (_, i) => (i < n / 2 ? 0 : 1)));
    using guide = guidance(labels);
    const { sde } = guide;
    const { x } = await predictorCorrector(engine, classConditional(guide.score, guide.pull), [n, 2], {
      sde,
      seed: 4,
      condition: (t) => t,
      corrector: "none",
      predictor: "ancestral_sampling",
    });
    const points = (await x.data()) as Float32Array;
    x.dispose();
    for (const label of [0, 1]) {
      let firsts = 0;
      for (let i = (label * n) / 2; i < ((label + 1) * n) / 2; i++)
        firsts +=
          squaredDistance(points, i, components[0].mean) < squaredDistance(points, i, components[1].mean)
            ? 1
            : 0;
      const [{ weight }] = givenClass(label);
      const z = zScore(firsts / (n / 2), weight, Math.sqrt(weight * (1 - weight)), n / 2);
      expect(Math.abs(z), `share of the first component in class ${label}`).toBeLessThan(4);
      expectMeans(points.subarray(label * n, (label + 1) * n), givenClass(label), [(x) => x, (_, y) => y]);
    }
  });

  test("strength counts the classifier's gradient so many times", async () => {
    using x = engine.tensor([1, 2, -3, 0.5], [2, 2]);
    using told = engine.zeros([2]);
    const plain = asScore((y) => scale(y, -1));
    for (const [strength, expected] of [
      [undefined, [2, 4, -6, 1]],
      [2.5, [6.5, 13, -19.5, 3.25]],
      [-1, [-4, -8, 12, -2]],
    ] as const) {
      const guided = classConditional(plain, (y) => scale(y, 3), { ...(strength && { strength }) });
      using s = engine.scope(() => guided(x, told));
      expect([...(await s.data())]).toEqual(expected);
    }
  });

  test("strength 0 is the score alone", async () => {
    using labels = engine.full([3], 1, "i32");
    using guide = guidance(labels);
    const [got, expected] = engine.scope(() => {
      const [x, t] = [engine.tensor([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [3, 2]), engine.full([3], 0.1)];
      return [classConditional(guide.score, guide.pull, { strength: 0 })(x, t), guide.score(x, t)];
    }) as [Tensor, Tensor];
    expect([...(await got.data())]).toEqual([...(await expected.data())]);
    for (const t of [got, expected]) t.dispose();
  });
});
