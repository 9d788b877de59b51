/** What counts as the same result, and that the inputs are what they are said to be. */
import { describe, expect, test } from "vitest";
import { chainLaw, disagreement, TOLERANCE } from "../../bench/peers/agreement.ts";
import { CHAIN_START, inputsOf, normals, transposed } from "../../bench/peers/inputs.ts";
import type { Problem } from "../../bench/peers/workloads.ts";

const matmul: Problem = { kind: "matmul", size: 2 };
const y = Float32Array.of(4, -8, 2, 1);

describe("results are held to ours", () => {
  const nudged = (by: number) => ({ y: y.map((v, i) => (i === 3 ? v + by : v)) });

  test("within a share of the largest value", () => {
    expect(disagreement(matmul, nudged(0.99 * TOLERANCE * 8), { y })).toBeUndefined();
    expect(disagreement(matmul, nudged(1.01 * TOLERANCE * 8), { y })).toBe(
      "y: off by 2.0e-5 of the largest value",
    );
  });

  test("a value that is none, a result that is missing or of another length", () => {
    expect(disagreement(matmul, nudged(Number.NaN), { y })).toBe("y: off by Infinity of the largest value");
    expect(disagreement(matmul, {}, { y })).toBe("y: 0 values for 4");
    expect(disagreement(matmul, { y: y.slice(1) }, { y })).toBe("y: 3 values for 4");
  });

  test("each result by itself: a small one is not lost beside a large one", () => {
    const dx = Float32Array.of(1e-3);
    expect(disagreement(matmul, { y, dx: Float32Array.of(1.1e-3) }, { y, dx })).toMatch(
      /^dx: off by 1\.0e-1/,
    );
  });
});

describe("a chain is held to its law", () => {
  const problem = { kind: "langevin", shape: [32, 3, 16, 16], steps: 40, alpha: 0.05 } as const;

  /** The chain in float64, with noise of these seeds in its steps. */
  function chain(seedOf: (step: number) => number, { alpha = 0.05, shift = 0 } = {}) {
    const x = Float64Array.from(inputsOf(problem)["x"]!.values);
    for (let step = 0; step < problem.steps; step++) {
      const { values: z } = normals(problem.shape, seedOf(step));
      for (let i = 0; i < x.length; i++)
        x[i] = x[i]! - (alpha / 2) * x[i]! + Math.sqrt(alpha) * z[i]! + shift;
    }
    return { x: Float32Array.from(x) };
  }

  test("the law is the recursion of the variance", () => {
    let variance = CHAIN_START ** 2;
    for (let step = 0; step < 40; step++) variance = (1 - 0.025) ** 2 * variance + 0.05;
    expect(chainLaw(problem).variance).toBeCloseTo(variance, 12);
  });

  test("fresh noise in every step agrees", () => {
    expect(
      disagreement(
        problem,
        chain((step) => 100 + step),
        {},
      ),
    ).toBeUndefined();
  });

  test("the same noise in every step, another step size and a drift do not", () => {
    expect(
      disagreement(
        problem,
        chain(() => 100),
        {},
      ),
    ).toMatch(/variance is \d+\.\d standard errors off/);
    expect(
      disagreement(
        problem,
        chain((step) => 100 + step, { alpha: 0.07 }),
        {},
      ),
    ).toMatch(/variance is -/);
    expect(
      disagreement(
        problem,
        chain((step) => 100 + step, { shift: 3e-3 }),
        {},
      ),
    ).toMatch(/mean is/);
  });

  test("nothing, or too little, is not a chain", () => {
    expect(disagreement(problem, {}, {})).toBe("x: 0 values for 24576");
  });
});

describe("inputs", () => {
  test("are standard normal: four moments, neighbours and seeds unrelated", () => {
    const [a, b] = [normals([1 << 16], 1).values, normals([1 << 16], 2).values];
    const mean = (f: (v: number, i: number) => number) =>
      a.reduce((sum, v, i) => sum + f(v, i), 0) / a.length;
    const error = 5 / Math.sqrt(a.length);
    expect(Math.abs(mean((v) => v))).toBeLessThan(error);
    expect(Math.abs(mean((v) => v * v) - 1)).toBeLessThan(error * Math.sqrt(2));
    expect(Math.abs(mean((v) => v ** 3))).toBeLessThan(error * Math.sqrt(15));
    expect(Math.abs(mean((v) => v ** 4) - 3)).toBeLessThan(error * Math.sqrt(96));
    expect(Math.abs(mean((v, i) => v * (a[i + 1] ?? 0)))).toBeLessThan(error);
    expect(Math.abs(mean((v, i) => v * b[i]!))).toBeLessThan(error);
  });

  test("are the same for the same seed", () => {
    expect(normals([3], 7)).toEqual(normals([3], 7));
    expect(normals([5], 7).values.slice(0, 3)).toEqual(normals([3], 7).values);
  });

  test("come for every kind of problem, as large as their shapes say", () => {
    const image = { batch: 2, channels: 3, size: 4 };
    const problems: Problem[] = [
      { kind: "conv", ...image, dilation: 2, pass: "backward" },
      { kind: "norm", ...image, pass: "both" },
      { kind: "attention", batch: 2, channels: 3, positions: 5, pass: "both" },
      { kind: "training", batch: 2, size: 4, width: 5, dilations: [1, 2], sigma: 0.5, rate: 1e-3 },
      { kind: "adds", length: 3, size: 6 },
    ];
    const shapes = problems.map((problem) =>
      Object.fromEntries(
        Object.entries(inputsOf(problem)).map(([name, { dims, values }]) => {
          expect(values.length).toBe(dims.reduce((product, length) => product * length, 1));
          return [name, dims];
        }),
      ),
    );
    expect(shapes).toEqual([
      { x: [2, 3, 4, 4], w: [3, 3, 3, 3], dy: [2, 3, 4, 4] },
      { x: [2, 3, 4, 4], dy: [2, 3, 4, 4] },
      { q: [2, 3, 5], k: [2, 3, 5], v: [2, 3, 5], dy: [2, 3, 5] },
      {
        x: [2, 3, 4, 4],
        ...{ weight0: [5, 3, 3, 3], bias0: [5], weight1: [5, 5, 3, 3], bias1: [5] },
        ...{ weight2: [5, 5, 3, 3], bias2: [5], weight3: [3, 5, 3, 3], bias3: [3] },
      },
      { x: [6], d: [6] },
    ]);
  });

  test("change the order of their axes", () => {
    const array = { dims: [2, 3, 4], values: Float32Array.from({ length: 24 }, (_, i) => i) };
    const { dims, values } = transposed(array, [2, 0, 1]);
    expect(dims).toEqual([4, 2, 3]);
    for (let a = 0; a < 2; a++)
      for (let b = 0; b < 3; b++)
        for (let c = 0; c < 4; c++) expect(values[c * 6 + a * 3 + b]).toBe(array.values[a * 12 + b * 4 + c]);
    expect(transposed(transposed(array, [2, 0, 1]), [1, 2, 0])).toEqual(array);
  });
});
