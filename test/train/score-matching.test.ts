/** Explicit, sliced and denoising score matching: values and gradients against float64, laws of the random vectors. */
import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { add, cast, matmul, mul, neg, perSample, square } from "../../engine/ops/index.ts";
import type { Array64 } from "../../engine/oracle/array.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import { Mlp, ToyEnergy } from "../../models/toy/index.ts";
import {
  annealedImplicit,
  dsmAt,
  hyvarinenLoss,
  hyvarinenTerms,
  projectionNames,
  projections,
  slicedLoss,
  slicedTerms,
} from "../../train/index.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear, expectScalarNear, zScore } from "../support/near.ts";
import { dsm64, hyvarinen64, type Sizes, sliced64, type Weights } from "./float64-score.ts";

const item = async (loss: () => Tensor): Promise<number> => {
  const t = engine.scope(loss);
  const value = await t.item();
  t.dispose();
  return value;
};

const sizes: Sizes = { dimensions: 3, hidden: 5 };
const mlp = new Mlp(new Init(engine, 4), [3, 5, 3]);
const names = { "0.weight": "w1", "0.bias": "b1", "2.weight": "w2", "2.bias": "b2" } as const;
const x = normal([4, 3], 1);
const v = [normal([4, 3], 2), normal([4, 3], 3)];
const given = { x: upload(x), v: v.map((one) => upload(one)) };
afterAll(() => {
  mlp.dispose();
  for (const t of [given.x, ...given.v]) t.dispose();
});

interface Case {
  readonly loss: () => Tensor;
  readonly truth: (weights: Weights) => number;
}

const score = (y: Tensor) => mlp.run(y);
const cases: Record<string, Case> = {
  "explicit score matching": {
    loss: () => hyvarinenLoss(score, given.x),
    truth: (w) => hyvarinen64(w, sizes, x.data),
  },
  "sliced score matching": {
    loss: () => slicedLoss(score, given.x, { vectors: given.v, varianceReduction: false }),
    truth: (w) =>
      sliced64(
        w,
        sizes,
        x.data,
        v.map((one) => one.data),
        false,
      ),
  },
  "sliced score matching with variance reduction": {
    loss: () => slicedLoss(score, given.x, { vectors: given.v }),
    truth: (w) =>
      sliced64(
        w,
        sizes,
        x.data,
        v.map((one) => one.data),
        true,
      ),
  },
  "denoising score matching at one scale": {
    loss: () => dsmAt(score, given.x, { sigma: 0.3, draw: given.v[0]! }),
    truth: (w) => dsm64(w, sizes, x.data, v[0]!.data, 0.3),
  },
};

describe.each(Object.entries(cases))("%s", (_, { loss, truth }) => {
  test("has the value and the gradients of float64, by central differences", async () => {
    const state = await mlp.state();
    const weights = Object.fromEntries(
      Object.entries(names).map(([name, ours]) => [ours, Float64Array.from(state.get(name)!.data)]),
    ) as Weights;
    expectScalarNear(await item(loss), truth(weights), 2e-6, 10, "value");

    const params = mlp.parameters();
    const grads = engine.scope(() => grad(loss(), [...params.values()]));
    const values = await engine.readAll(grads);
    for (const t of grads) t.dispose();
    for (const [i, name] of [...params.keys()].entries()) {
      const ours = names[name as keyof typeof names];
      const numeric = Float64Array.from(weights[ours], (value, k) => {
        const at = (e: number) => truth({ ...weights, [ours]: weights[ours].with(k, value + e) });
        return (at(1e-5) - at(-1e-5)) / 2e-5;
      });
      const expected: Array64 = { shape: [numeric.length], data: numeric };
      expectNear(values[i]!, expected, { terms: 30, magnitude: 10 }, name);
    }
  });

  test("is the same without a record, and leaves nothing behind", async () => {
    const before = engine.memory().live;
    const recorded = await item(loss);
    expect(await item(() => engine.noGrad(loss))).toBe(recorded);
    expect(engine.memory().live).toBe(before);
  });
});

test("a score that is itself a derivative is trained through a third one", async () => {
  const energy = new ToyEnergy(new Init(engine, 2), { dimensions: 3, hidden: 4 });
  const weight = energy.parameters().get("mlp.0.weight")!;
  const loss = () => hyvarinenLoss((y) => energy.run(y), given.x);
  const [g] = engine.scope(() => grad(loss(), [weight]));
  const direction = normal([4, 3], 9);
  const start = Float32Array.from(await weight.data());
  const at = async (e: number) => {
    weight.write(start.map((value, i) => value + e * direction.data[i]!));
    return item(loss);
  };
  const h = 2 ** -6;
  const [up, down, up2, down2] = [await at(h), await at(-h), await at(2 * h), await at(-2 * h)];
  const numeric = (8 * (up - down) - (up2 - down2)) / (12 * h); // float32 values: a wide stencil of fourth order
  const values = await g!.data();
  const along = direction.data.reduce((sum, d, i) => sum + d * values[i]!, 0);
  expectScalarNear(along, numeric, 1e-4, 1, "derivative along a direction");
  g!.dispose();
  energy.dispose();
});

describe("of a linear score A x", () => {
  const a = normal([3, 3], 5);
  const A = upload(a);
  const linear = (y: Tensor) => matmul(y, A, { transposeB: true });
  afterAll(() => A.dispose());
  const entry = (i: number, j: number) => a.data[3 * i + j]!;
  const trace = entry(0, 0) + entry(1, 1) + entry(2, 2);

  test("the divergence is the trace at every sample", async () => {
    const terms = hyvarinenTerms(linear, given.x);
    expectNear(await terms.divergence.data(), { shape: [4], data: new Float64Array(4).fill(trace) });
    for (const t of Object.values(terms)) t.dispose();
  });

  test.each(projectionNames)("%s vectors find the trace on average, with their own variance", async (law) => {
    const n = 20_000;
    const many = engine.zeros([n, 3]);
    const terms = engine.scope(() =>
      slicedTerms(linear, many, { vectors: projections(many, { projection: law, seed: 8 }) }),
    );
    const values = [...(await terms.divergence.data())];
    for (const t of [many, ...Object.values(terms)]) t.dispose();
    const average = values.reduce((sum, value) => sum + value, 0) / n;
    const variance = values.reduce((sum, value) => sum + (value - average) ** 2, 0) / n;

    // of v . A v, with S the symmetric part: Gaussian 2 |S|^2, Rademacher that off the diagonal, sphere
    // 2 (|S|^2 - (tr S)^2 / D) D / (D + 2)
    const pairs = [0, 1, 2].flatMap((i) => [0, 1, 2].map((j) => [i, j] as const));
    const square = ([i, j]: readonly [number, number]) => (0.5 * (entry(i, j) + entry(j, i))) ** 2;
    const norm = (of: readonly (readonly [number, number])[]) => of.reduce((sum, p) => sum + square(p), 0);
    const expected = {
      gaussian: 2 * norm(pairs),
      rademacher: 2 * norm(pairs.filter(([i, j]) => i !== j)),
      sphere: (2 * (norm(pairs) - trace ** 2 / 3) * 3) / 5,
    }[law];
    expect(Math.abs(zScore(average, trace, Math.sqrt(expected), n))).toBeLessThan(4);
    expect(Math.abs(variance / expected - 1)).toBeLessThan(0.1);
  });
});

describe("random vectors", () => {
  const wide = engine.zeros([4, 2, 3, 2]);
  afterAll(() => wide.dispose());
  const read = async (options: Parameters<typeof projections>[1], of = wide) => {
    const made = engine.scope(() => projections(of, options));
    const values = await engine.readAll(made);
    for (const t of made) t.dispose();
    return values.map((value) => [...value]);
  };

  test("are of their law", async () => {
    const [signs] = await read({ seed: 1, projection: "rademacher" });
    expect(new Set(signs)).toEqual(new Set([-1, 1]));
    const [ball] = await read({ seed: 1, projection: "sphere" });
    for (let n = 0; n < 4; n++) {
      const squares = ball!.slice(12 * n, 12 * (n + 1)).reduce((sum, value) => sum + value ** 2, 0);
      expect(squares / 12).toBeCloseTo(1, 5);
    }
  });

  test("differ among themselves and from the noise that perturbs, at the same step", async () => {
    const noise = engine.scope(() => randn(engine, wide.shape, { seed: 1, purpose: "perturb" }));
    const all = [[...(await noise.data())], ...(await read({ seed: 1, particles: 3 }))];
    noise.dispose();
    expect(all).toHaveLength(4);
    expect(new Set(all.flat()).size).toBe(4 * wide.size);
  });

  test("are those of the whole batch, however it is split", async () => {
    const whole = await read({ seed: 3, step: 5, particles: 2 });
    const rest = engine.zeros([3, 2, 3, 2]);
    const part = await read({ seed: 3, step: 5, particles: 2, sampleOffset: 1 }, rest);
    rest.dispose();
    expect(part).toEqual(whole.map((values) => values.slice(12)));
  });
});

test("over noise scales each sample is weighed by its own, at its noisy x", async () => {
  const sigmas = [2, 0.5];
  const table = engine.tensor(sigmas, [2, 1]);
  const labels = engine.tensor(Int32Array.of(0, 1, 1, 0));
  const z = upload(normal([4, 3], 6));
  const factors = [0.7, 1.4];
  const factorOf = (label: Tensor) => add(mul(cast(label, "f32"), factors[1]! - factors[0]!), factors[0]!);
  const labelled = Object.assign(
    (y: Tensor, label: Tensor) => neg(mul(mul(square(y), y), perSample(factorOf(label), y))),
    { predicts: "score" as const },
  );
  for (const annealPower of [2, 1]) {
    const loss = await item(() =>
      annealedImplicit(labelled, given.x, labels, {
        sigmas: table,
        draw: z,
        annealPower,
        matching: hyvarinenTerms,
      }),
    );
    // s = -f y^3, tr ds/dy = -3 f |y|^2
    const noise = normal([4, 3], 6).data;
    let expected = 0;
    [0, 1, 1, 0].forEach((label, n) => {
      for (let i = 3 * n; i < 3 * n + 3; i++) {
        const [sigma, f] = [sigmas[label]!, factors[label]!];
        const y = x.data[i]! + sigma * noise[i]!;
        expected += (sigma ** annealPower * (-3 * f * y ** 2 + 0.5 * f ** 2 * y ** 6)) / 4;
      }
    });
    expect(loss / expected).toBeCloseTo(1, 5);
  }
  for (const t of [table, labels, z]) t.dispose();
});

describe("refused", () => {
  test("explicit score matching of large samples", () => {
    const large = engine.zeros([1, 1, 28, 28]);
    expect(() => hyvarinenLoss((y) => y, large)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: hyvarinen: got x [1,1,28,28], samples of 784 elements, expected at most 256, for each takes a backward pass; take sliced score matching, ssm-vr]`,
    );
    large.dispose();
  });

  test("vectors of another shape, and none", () => {
    for (const vectors of [[], [engine.zeros([4, 2])]])
      expect(() => slicedLoss(score, given.x, { vectors })).toThrowError(/^sliced: got vectors/);
    expect(() => slicedLoss(score, given.x, { vectors: [] })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: sliced: got vectors none for x [4,3], expected some of its shape]`,
    );
  });

  test("a law of vectors and a weight of scales that are none", () => {
    expect(() =>
      projections(given.x, { seed: 1, projection: "gausian" as "gaussian" }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: projections: got projection gausian, expected one of gaussian, rademacher, sphere; did you mean gaussian?]`,
    );
    const labelled = Object.assign((y: Tensor) => y, { predicts: "score" as const });
    using sigmas = engine.tensor([2, 0.5], [2, 1]);
    using labels = engine.tensor(Int32Array.of(0, 1, 1, 0));
    const draw = { seed: 1, purpose: "perturb" } as const;
    expect(() =>
      annealedImplicit(labelled, given.x, labels, {
        ...{ sigmas, draw, matching: hyvarinenTerms },
        annealPower: NaN,
      }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: annealedImplicit: got annealPower NaN, expected a finite number]`,
    );
  });

  test("no vector at all, a sigma of 0, noise of another shape", () => {
    expect(() => projections(given.x, { seed: 1, particles: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: projections: got 0 particles, expected a whole number from 1]`,
    );
    const draw = { seed: 1, purpose: "perturb" } as const;
    expect(() => dsmAt(score, given.x, { sigma: 0, draw })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: dsmAt: got sigma 0, expected a number above 0]`,
    );
    const short = engine.zeros([3, 3]);
    expect(() => dsmAt(score, given.x, { sigma: 1, draw: short })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: perturb: got x [4,3], noise [3,3], expected one shape]`,
    );
    short.dispose();
  });
});
