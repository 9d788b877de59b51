import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { add, div, mean, mul, scale, square, sum } from "../../engine/ops/index.ts";
import type { Array64 } from "../../engine/oracle/array.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import { countParameters, type Module } from "../../models/module.ts";
import { Mlp, SmallScore, ToyEnergy, ToyNoiseScore, ToyScore } from "../../models/toy/index.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear, expectScalarNear } from "../support/near.ts";

const HIDDEN = 9;
const toy = new ToyScore(new Init(engine, 1));
const energy = new ToyEnergy(new Init(engine, 2), { hidden: HIDDEN });
const noisy = new ToyNoiseScore(new Init(engine, 3), { hidden: HIDDEN });
const small = new SmallScore(new Init(engine, 4), { channels: 1, nef: 2 });
const liveBefore = engine.memory().live;
afterAll(() => {
  for (const network of [toy, energy, noisy, small]) network.dispose();
});

const points = normal([6, 2], 11);

describe("official names and parameter counts", () => {
  const shapes = (module: Module) =>
    Object.fromEntries([...module.named()].map(([name, t]) => [name, [...t.shape]]));

  test("of the two-dimensional experiment", () => {
    expect(shapes(toy)).toEqual({
      "0.weight": [128, 2],
      "0.bias": [128],
      "2.weight": [128, 128],
      "2.bias": [128],
      "4.weight": [2, 128],
      "4.bias": [2],
    });
    expect(countParameters(toy)).toBe(17_154);
  });

  test("of SmallScore", () => {
    expect(Object.keys(shapes(small))).toEqual(
      [
        "u_net.0",
        "u_net.1",
        "u_net.3",
        "u_net.4",
        "u_net.6",
        "u_net.7",
        "u_net.9",
        "fc.0",
        "fc.1",
        "fc.3",
      ].flatMap((place) => [`${place}.weight`, `${place}.bias`]),
    );
    expect(shapes(small)["u_net.6.weight"]).toEqual([16, 8, 3, 3]); // transposed: inputs first
    expect(countParameters(small)).toBe(54_725);
  });

  test("of ours", () => {
    expect(Object.keys(shapes(energy)).slice(0, 2)).toEqual(["mlp.0.weight", "mlp.0.bias"]);
    expect(countParameters(energy)).toBe(3 * HIDDEN + (HIDDEN + 1) * HIDDEN + HIDDEN + 1);
    expect(Object.keys(shapes(noisy)).slice(0, 2)).toEqual(["embed.W", "mlp.0.weight"]);
    expect([...noisy.parameters().keys()]).not.toContain("embed.W");
  });
});

/** An MLP's parameters in float64, by name. */
type Parameters64 = ReadonlyMap<string, Float64Array>;

async function parameters64(mlp: Mlp): Promise<Parameters64> {
  return new Map([...(await mlp.state())].map(([name, { data }]) => [name, Float64Array.from(data)]));
}

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

/** y = MLP(x) and its derivatives by x, each a vector of y's length, carried forward through the layers. */
function mlp64(parameters: Parameters64, x: readonly number[]): { y: number[]; dy: number[][] } {
  let y = [...x];
  let dy = x.map((_, i) => x.map((_, k) => Number(i === k)));
  for (const place of [0, 2, 4]) {
    const [weight, bias] = [parameters.get(`${place}.weight`)!, parameters.get(`${place}.bias`)!];
    const times = (v: readonly number[]) =>
      [...bias.keys()].map((row) =>
        v.reduce((total, value, k) => total + weight[row * v.length + k]! * value, 0),
      );
    y = times(y).map((v, row) => v + bias[row]!);
    dy = dy.map(times);
    if (place === 4) break;
    const slope = y.map(sigmoid);
    y = y.map((z) => Math.log1p(Math.exp(z)));
    dy = dy.map((d) => d.map((v, row) => v * slope[row]!));
  }
  return { y, dy };
}

const rows = ({ data, shape }: Array64): number[][] =>
  Array.from({ length: shape[0]! }, (_, i) => [...data.slice(i * shape[1]!, (i + 1) * shape[1]!)]);

const matrix = (values: readonly (readonly number[])[]): Array64 => ({
  shape: [values.length, values[0]!.length],
  data: Float64Array.from(values.flat()),
});

/** The values of what `fn` makes, in a scope. */
async function values(fn: () => Tensor): Promise<number[]> {
  const y = engine.scope(fn);
  const data = [...(await y.data())];
  y.dispose();
  return data;
}

describe("an MLP", () => {
  test("is linear layers with softplus between", async () => {
    const parameters = await parameters64(toy);
    const expected = matrix(rows(points).map((x) => mlp64(parameters, x).y));
    expectNear(await values(() => toy.run(upload(points))), expected, { terms: 128 });
  });

  test("takes sines and cosines beside the coordinates", async () => {
    const waves = new ToyScore(new Init(engine, 5), { hidden: HIDDEN, frequencies: 2 });
    const inputs = rows(points).map((x) => [
      ...x,
      ...[1, 2].flatMap((k) => [Math.sin, Math.cos].flatMap((f) => x.map((value) => f(k * value)))),
    ]);
    const parameters = await parameters64(waves);
    const expected = matrix(inputs.map((x) => mlp64(parameters, x).y));
    expectNear(await values(() => waves.run(upload(points))), expected, { terms: 128 });
    waves.dispose();
    expect(() => new ToyScore(new Init(engine), { frequencies: 1.5 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: ToyScore: got frequencies 1.5, expected a whole number from 0]`,
    );
  });

  test("says which widths and inputs it takes", () => {
    expect(() => new Mlp(new Init(engine), [2])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Mlp: got widths [2], expected at least two whole numbers from 1, such as [2,128,128,2]]`,
    );
    expect(() => new Mlp(new Init(engine), [2, 0, 2])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Mlp: got widths [2,0,2], expected at least two whole numbers from 1, such as [2,128,128,2]]`,
    );
    engine.scope(() =>
      expect(() => toy.run(engine.ones([4, 3]))).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: ToyScore: got x [4,3], expected [n,2]]`,
      ),
    );
  });
});

describe("a score for every noise scale", () => {
  const sigma = [0.01, 0.3, 1, 5, 50, 0.1];

  test("is an MLP of the scaled point and Fourier features of log sigma, divided by sigma", async () => {
    const parameters = await parameters64(noisy.mlp);
    const frequencies = [...(await noisy.embed.state()).get("W")!.data];
    const expected = matrix(
      rows(points).map((x, i) => {
        const s = Math.fround(sigma[i]!);
        const angles = frequencies.map((w) => 2 * Math.PI * w * Math.log(s));
        const input = [
          ...x.map((v) => v / Math.sqrt(1 + s * s)),
          ...angles.map(Math.sin),
          ...angles.map(Math.cos),
        ];
        return mlp64(parameters, input).y.map((v) => v / s);
      }),
    );
    const got = await values(() => noisy.run(upload(points), engine.tensor(sigma)));
    expectNear(got, expected, { terms: 128, magnitude: "own" });
  });

  test("says what it takes", () => {
    engine.scope(() => {
      const x = engine.ones([4, 2]);
      expect(() => noisy.run(x, engine.ones([3]))).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: ToyNoiseScore: got x [4,2] and sigma f32 [3], expected [n,d] and the noise scale of each point, f32 [n]]`,
      );
      expect(() => noisy.run(x, engine.tensor(Int32Array.of(0, 1, 2, 3)))).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: ToyNoiseScore: got x [4,2] and sigma i32 [4], expected [n,d] and the noise scale of each point, f32 [n]]`,
      );
    });
  });
});

describe("an energy", () => {
  test("is a number for each point", async () => {
    const parameters = await parameters64(energy.mlp);
    const expected = rows(points).map((x) => mlp64(parameters, x).y[0]!);
    const got = await values(() => energy.energy(upload(points)));
    expectNear(got, { shape: [6], data: Float64Array.from(expected) }, { terms: 20 });
  });

  test("its score is minus the finite differences of the energy in float64", async () => {
    const parameters = await parameters64(energy.mlp);
    const step = 1e-5;
    const at = (x: readonly number[], k: number, e: number) =>
      mlp64(
        parameters,
        x.map((v, i) => (i === k ? v + e : v)),
      ).y[0]!;
    const expected = matrix(
      rows(points).map((x) => x.map((_, k) => (at(x, k, -step) - at(x, k, step)) / (2 * step))),
    );
    expectNear(await values(() => energy.run(upload(points))), expected, { terms: 20 });
  });

  test("samplers get the same score without a graph", async () => {
    const recorded = await values(() => energy.run(upload(points)));
    const plain = await values(() => {
      const s = engine.noGrad(() => energy.run(upload(points)));
      expect(s.requiresGrad).toBe(false);
      return s;
    });
    for (const [i, v] of plain.entries()) expectScalarNear(v, recorded[i]!, 1e-6, 1, `value ${i}`);
  });

  test("leaves the graph behind a point alone", async () => {
    const x = engine.asVariable(upload(points));
    const dx = await values(() => {
      const y = square(x);
      engine.noGrad(() => energy.run(y));
      return grad(sum(y), [x])[0]!;
    });
    expectNear(dx, { shape: points.shape, data: points.data.map((v) => 2 * v) });
    x.dispose();
  });

  test("its score is a gradient field: the Jacobian is symmetric", async () => {
    const x = engine.asVariable(upload(points));
    const pick = (k: number) => engine.tensor([k === 0 ? 1 : 0, k === 1 ? 1 : 0], [1, 2]);
    const row = (k: number) => values(() => grad(sum(mul(energy.run(x), pick(k))), [x])[0]!);
    const [first, second] = [await row(0), await row(1)];
    const crossed = (at: number) => [...first.keys()].filter((i) => i % 2 === at);
    const a = crossed(1).map((i) => first[i]!); // d s_0 / d x_1
    const b = crossed(0).map((i) => second[i]!); // d s_1 / d x_0
    expect(Math.max(...a.map(Math.abs))).toBeGreaterThan(1e-3);
    for (const [i, v] of a.entries()) expectScalarNear(v, b[i]!, 1e-5, 0.1, `point ${i}`);
    x.dispose();
  });

  test("is trained through its score: the loss's gradient is that of the loss in float64", async () => {
    const sigma = 0.5;
    const z = normal([6, 2], 12);
    const parameters = [...energy.parameters()];
    const grads = engine.scope(() => {
      const noise = upload(z);
      const error = add(energy.run(add(upload(points), scale(noise, sigma))), div(noise, sigma));
      const loss = mul(mean(sum(square(error), { axis: 1 })), 0.5);
      return grad(
        loss,
        parameters.map(([, t]) => t),
      );
    });
    const got = await engine.readAll(grads);
    for (const g of grads) g.dispose();

    const own = await parameters64(energy.mlp);
    const loss64 = (theta: Parameters64): number => {
      const each = rows(points).map((x, i) => {
        const noise = rows(z)[i]!;
        const { dy } = mlp64(
          theta,
          x.map((v, k) => v + sigma * noise[k]!),
        );
        return dy.reduce((total, [d], k) => total + (-d! + noise[k]! / sigma) ** 2, 0);
      });
      return each.reduce((a, b) => a + b) / (2 * each.length);
    };
    const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Array.from(a).reduce((total, v, i) => total + v * b[i]!, 0);
    parameters.forEach(([path, t], i) => {
      const name = path.slice("mlp.".length);
      const direction = normal(t.shape, 20 + i).data;
      const along = (e: number) =>
        loss64(
          new Map(own).set(
            name,
            own.get(name)!.map((v, k) => v + e * direction[k]!),
          ),
        );
      const numeric = (along(1e-4) - along(-1e-4)) / 2e-4;
      const size = Math.sqrt(dot(got[i]!, got[i]!) * dot(direction, direction));
      expectScalarNear(dot(got[i]!, direction), numeric, 1e-5, size, path);
      if (name !== "4.bias") expect(size, `${path} is moved`).toBeGreaterThan(1e-3); // a constant in E has no score
    });
  });
});

describe("SmallScore", () => {
  test("gives a score of the image's shape", async () => {
    const y = await values(() => {
      const s = engine.noGrad(() => small.run(engine.full([3, 1, 10, 10], 0.5)));
      expect(s.shape).toEqual([3, 1, 10, 10]);
      return s;
    });
    expect(y.every(Number.isFinite)).toBe(true);
  });

  test("says what it takes", () => {
    engine.scope(() =>
      expect(() => small.run(engine.ones([2, 1, 12, 12]))).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: SmallScore: got x [2,1,12,12], expected [n,1,10,10]]`,
      ),
    );
  });
});

test("nothing of all that is left", () => {
  expect(engine.memory().live).toBe(liveBefore);
});
