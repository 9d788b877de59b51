import { describe, expect, test } from "vitest";
import { traceOfRoot } from "../../train/metrics/frechet.ts";
import {
  copying,
  frechetDistance,
  inceptionScore,
  kernelDistance,
  type Moments,
  manifoldFigures,
  momentsOf,
  nearestNeighbours,
} from "../../train/metrics/index.ts";
import { uniformStream } from "../../train/metrics/projections.ts";
import { semidefiniteFactor } from "../../train/metrics/semidefinite-factor.ts";
import { symmetricEigenvalues } from "../../train/metrics/symmetric-eigenvalues.ts";

function normals(count: number, seed: number): Float64Array {
  const uniform = uniformStream(seed);
  return Float64Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

type Matrix = readonly (readonly number[])[];

const rowsOf = (values: Float64Array, columns: number): number[][] =>
  Array.from({ length: values.length / columns }, (_, i) => [
    ...values.subarray(i * columns, (i + 1) * columns),
  ]);
const flat = (m: Matrix) => Float64Array.from(m.flat());
const transposed = (m: Matrix) => m[0]!.map((_, j) => m.map((row) => row[j]!));
const times = (a: Matrix, b: Matrix) =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));
const trace = (m: Matrix) => m.reduce((sum, row, i) => sum + row[i]!, 0);
const diagonal = (values: readonly number[]) => values.map((v, i) => values.map((_, j) => (i === j ? v : 0)));

/** By Gauss and Jordan. */
function inverse(m: Matrix): number[][] {
  const n = m.length;
  const work = m.map((row, i) => [...row, ...diagonal(new Array<number>(n).fill(1))[i]!]);
  for (let k = 0; k < n; k++) {
    const pivot = work.slice(k).reduce((best, row, i) => {
      return Math.abs(row[k]!) > Math.abs(work[best]![k]!) ? i + k : best;
    }, k);
    [work[k], work[pivot]] = [work[pivot]!, work[k]!];
    work[k] = work[k]!.map((v) => v / work[k]![k]!);
    for (let i = 0; i < n; i++)
      if (i !== k) work[i] = work[i]!.map((v, j) => v - work[i]![k]! * work[k]![j]!);
  }
  return work.map((row) => row.slice(n));
}

/** The square root of a matrix with positive eigenvalues: Denman & Beavers 1976. */
function root(m: Matrix): number[][] {
  let [y, z]: [Matrix, Matrix] = [m, diagonal(m.map(() => 1))];
  for (let k = 0; k < 30; k++) {
    const [yi, zi] = [inverse(y), inverse(z)];
    const half = (a: Matrix, b: Matrix) => a.map((row, i) => row.map((v, j) => (v + b[i]![j]!) / 2));
    [y, z] = [half(y, zi), half(z, yi)];
  }
  return y.map((row) => [...row]);
}

/** An orthogonal matrix: a product of reflections. */
function orthogonal(n: number, seed: number): number[][] {
  let q = diagonal(new Array<number>(n).fill(1));
  for (let k = 0; k < n; k++) {
    const v = [...normals(n, seed + k)];
    const squares = v.reduce((sum, x) => sum + x * x, 0);
    const mirror = v.map((x, i) => v.map((y, j) => (i === j ? 1 : 0) - (2 * x * y) / squares));
    q = times(q, mirror);
  }
  return q;
}

const turned = (values: readonly number[], seed: number) => {
  const q = orthogonal(values.length, seed);
  return times(times(q, diagonal(values)), transposed(q));
};

const covariance = (n: number, seed: number): number[][] => {
  const a = rowsOf(normals(2 * n * n, seed), n);
  return times(transposed(a), a);
};

const moments = (mean: number[], s: Matrix): Moments => ({
  ...{ count: 100, dim: mean.length },
  ...{ mean: Float64Array.from(mean), covariance: flat(s) },
});

const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);

function expectEach(got: Iterable<number>, expected: Iterable<number>, within: number) {
  const [a, b] = [sorted(got), sorted(expected)];
  expect(a.length).toBe(b.length);
  for (const [i, value] of a.entries()) expect(Math.abs(value - b[i]!)).toBeLessThan(within);
}

describe("eigenvalues", () => {
  test.each([1, 2, 3, 17, 60])("of the matrix min(i, j) of %i rows are their closed form", (n) => {
    const s = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => Math.min(i, j) + 1));
    const expected = s.map((_, k) => 0.25 / Math.sin(((2 * k + 1) * Math.PI) / (4 * n + 2)) ** 2);
    expectEach(symmetricEigenvalues(flat(s), n), expected, 1e-13 * n * n);
  });

  test.each([
    ["apart", [5, -3, 2, 0.1, 1e-9, 40]],
    ["repeated", [2, 2, 2, 2, 7, 7]],
    ["mostly 0", [0, 0, 0, 3, 0, 0]],
    ["all alike", [4, 4, 4, 4, 4]],
  ])("%s come out of a turned diagonal matrix", (_, values) => {
    const largest = Math.max(...values.map(Math.abs));
    expectEach(symmetricEigenvalues(flat(turned(values, 3)), values.length), values, 1e-14 * largest);
  });

  test("are in proportion to the matrix, be it tiny or huge", () => {
    const s = turned([1, 2, 3, 4], 9);
    for (const factor of [1e-200, 1e200]) {
      const values = symmetricEigenvalues(flat(s.map((row) => row.map((v) => v * factor))), 4);
      expectEach(
        values.map((v) => v / factor),
        [1, 2, 3, 4],
        1e-13,
      );
    }
    expect([...symmetricEigenvalues(new Float64Array(9), 3)]).toEqual([0, 0, 0]);
  });
});

describe("the factor of a semidefinite matrix", () => {
  test.each([
    ["regular", covariance(7, 1), 7],
    ["of rank 3", turned([3, 1, 0.5, 0, 0, 0, 0, 0], 4), 3],
    ["zero", diagonal([0, 0, 0]), 0],
  ])("%s multiplies to it and has its rank", (_, s, expected) => {
    const n = s.length;
    const { rank, rows } = semidefiniteFactor(flat(s), n);
    expect(rank).toBe(expected);
    if (rank === 0) return;
    const f = rowsOf(rows, n);
    const product = times(transposed(f), f);
    for (const [i, row] of product.entries())
      for (const [j, value] of row.entries())
        expect(Math.abs(value - s[i]![j]!)).toBeLessThan(1e-13 * trace(s));
  });
});

describe("the Frechet distance", () => {
  test("in one dimension is the squared differences of mean and deviation", () => {
    expect(frechetDistance(moments([1], [[4]]), moments([-2], [[0.25]]))).toBeCloseTo(9 + 1.5 ** 2, 13);
  });

  test("of diagonal and of commuting covariances is their closed form", () => {
    const [a, b] = [
      [4, 1, 0.09, 0],
      [1, 9, 0.16, 2],
    ];
    const expected = 0.25 + a!.reduce((sum, v, i) => sum + (Math.sqrt(v) - Math.sqrt(b![i]!)) ** 2, 0);
    const of = (s: Matrix, t: Matrix) =>
      frechetDistance(moments([0, 0, 0, 0.5], s), moments([0, 0, 0, 0], t));
    expect(of(diagonal(a!), diagonal(b!))).toBeCloseTo(expected, 13);
    expect(of(turned(a!, 5), turned(b!, 5))).toBeCloseTo(expected, 6); // a root of a rounding error each way
  });

  test.each([2, 5, 9])("of any two Gaussians in %i dimensions agrees with Denman and Beavers", (n) => {
    const [s, t] = [covariance(n, 10 + n), covariance(n, 20 + n)];
    const [m1, m2] = [[...normals(n, 1)], [...normals(n, 2)]];
    const shift = m1.reduce((sum, v, i) => sum + (v - m2[i]!) ** 2, 0);
    const expected = shift + trace(s) + trace(t) - 2 * trace(root(times(s, t)));
    const got = frechetDistance(moments(m1, s), moments(m2, t));
    expect(Math.abs(got / expected - 1)).toBeLessThan(1e-9);
    expect(frechetDistance(moments(m2, t), moments(m1, s))).toBeCloseTo(got, 9);
  });

  test("of singular covariances adds nothing to make them regular", () => {
    const [u, v] = [[...normals(6, 3)], [...normals(6, 4)]];
    const outer = (x: number[]) => x.map((a) => x.map((b) => a * b));
    const dot = u.reduce((sum, x, i) => sum + x * v[i]!, 0);
    expect(traceOfRoot(flat(outer(u)), flat(outer(v)), 6)).toBeCloseTo(Math.abs(dot), 12);

    // tr (A'A B'B)^(1/2) is the sum of the singular values of M = A B', and of two their square is |M|^2 + 2 |det M|.
    const [a, b] = [rowsOf(normals(12, 5), 6), rowsOf(normals(12, 6), 6)];
    const m = times(a, transposed(b));
    const determinant = m[0]![0]! * m[1]![1]! - m[0]![1]! * m[1]![0]!;
    const expected = Math.sqrt(m.flat().reduce((sum, x) => sum + x * x, 0) + 2 * Math.abs(determinant));
    const of = (x: Matrix) => flat(times(transposed(x), x));
    expect(traceOfRoot(of(a), of(b), 6)).toBeCloseTo(expected, 12);
  });

  test("of a Gaussian to itself is 0, singular or not, up to rounding of its trace", () => {
    for (const s of [covariance(8, 1), turned([3, 1, 0.5, 0, 0, 0, 0, 0], 4)])
      expect(frechetDistance(moments(s[0]!, s), moments(s[0]!, s))).toBeLessThan(1e-6 * trace(s));
  });

  test("from n samples of d dimensions is too large: by d / n and d (d + 1) / 4 n for either set, for standard normals", () => {
    const [n, dim] = [400, 12];
    const draw = (seed: number) => momentsOf(Float32Array.from(normals(n * dim, seed)), dim);
    const distances = Array.from({ length: 20 }, (_, k) => frechetDistance(draw(2 * k + 1), draw(2 * k + 2)));
    const mean = distances.reduce((sum, d) => sum + d, 0) / distances.length;
    // The means differ by |N(0, 2/n)|^2, and the covariances add |D|^2 / 4 of the difference D of their Wishart noises.
    const expected = (2 * dim) / n + (dim * (dim + 1)) / (2 * n);
    expect(Math.abs(mean / expected - 1)).toBeLessThan(0.1);
  });
});

test("moments are those of the definition", () => {
  const { count, mean, covariance: s } = momentsOf(Float32Array.of(1, 2, 3, 6, 5, 1), 2);
  expect([count, ...mean]).toEqual([3, 3, 3]);
  expect([...s]).toEqual([4, -1, -1, 7]);
});

describe("the kernel distance", () => {
  const powers = [0, 1, 2, 3];
  const binomials = [1, 3, 3, 1];
  const sumOf = (x: Float32Array, k: number) => x.reduce((sum, v) => sum + v ** k, 0);

  /** In one dimension (x y + 1)^3 is the sum of binomials x^k y^k: an unbiased estimate out of power sums. */
  const byPowers = (x: Float32Array, y: Float32Array) => {
    const n = x.length;
    const pairs = (z: Float32Array, k: number) => (sumOf(z, k) ** 2 - sumOf(z, 2 * k)) / (n * (n - 1));
    return powers.reduce(
      (sum, k) =>
        sum + binomials[k]! * (pairs(x, k) + pairs(y, k) - (2 * sumOf(x, k) * sumOf(y, k)) / (n * n)),
      0,
    );
  };

  test("is that of power sums, block by block, with the error of their mean", () => {
    const [x, y] = [Float32Array.from(normals(30, 1)), Float32Array.from(normals(33, 2), (v) => v + 0.5)];
    const { value, standardError, blocks, blockSize } = kernelDistance(x, y, { dim: 1, blockSize: 3 });
    expect([blocks, blockSize]).toEqual([10, 3]);
    const all = Array.from({ length: 10 }, (_, k) =>
      byPowers(x.slice(3 * k, 3 * k + 3), y.slice(3 * k, 3 * k + 3)),
    );
    const mean = all.reduce((a, b) => a + b) / 10;
    expect(value).toBeCloseTo(mean, 10);
    expect(standardError).toBeCloseTo(
      Math.sqrt(all.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 9 / 10),
      10,
    );
  });

  test("counts a dot product for each of its terms", () => {
    const [x, y] = [Float32Array.from(normals(20, 1)), Float32Array.from(normals(20, 2))];
    const twice = (z: Float32Array) => Float32Array.from({ length: 40 }, (_, i) => z[i >> 1]!);
    const one = kernelDistance(x, y, { dim: 1 });
    expect(kernelDistance(twice(x), twice(y), { dim: 2 }).value).toBeCloseTo(one.value, 10);
  });

  test("of one law is 0 on average, as its error says", () => {
    const dim = 3;
    const draw = (seed: number) => Float32Array.from(normals(600 * dim, seed));
    const zs = Array.from({ length: 12 }, (_, k) => {
      const { value, standardError } = kernelDistance(draw(2 * k + 1), draw(2 * k + 2), { dim });
      return value / standardError;
    });
    const mean = zs.reduce((sum, z) => sum + z, 0) / zs.length;
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(zs.length));
    expect(zs.some((z) => z < 0)).toBe(true);
  });
});

describe("the Inception score", () => {
  const oneHot = (n: number, classes: number) =>
    Float32Array.from({ length: n * classes }, (_, i) =>
      i % classes === Math.floor(i / classes) % classes ? 1 : 0,
    );

  test("is the number of classes for sure images of all, and 1 for images all alike", () => {
    expect(inceptionScore(oneHot(40, 4), { classes: 4 }).mean).toBeCloseTo(4, 12);
    expect(inceptionScore(new Float32Array(40).fill(0.25), { classes: 4 }).mean).toBeCloseTo(1, 12);
  });

  test("of two images is the exponential of their divergence from both together, in splits with their spread", () => {
    const rows = Float32Array.of(0.75, 0.25, 0.25, 0.75, 0.5, 0.5, 0.5, 0.5);
    const first = Math.exp(0.75 * Math.log(1.5) + 0.25 * Math.log(0.5));
    const { mean, std } = inceptionScore(rows, { classes: 2, splits: 2 });
    expect(mean).toBeCloseTo((first + 1) / 2, 12);
    expect(std).toBeCloseTo((first - 1) / 2, 12);
  });
});

describe("manifolds", () => {
  test("of points on a line", () => {
    const real = Float32Array.of(0, 1, 2, 3); // balls of 1
    const samples = Float32Array.of(0.5, 10, 10.5, 20); // of 9.5, 0.5, 0.5 and 9.5
    expect(manifoldFigures(real, samples, { dim: 1, k: 1 })).toEqual({
      ...{ precision: 1 / 4, recall: 1, density: 2 / 4, coverage: 2 / 4 },
    });
    expect(manifoldFigures(samples, real, { dim: 1, k: 1 })).toMatchObject({ precision: 1, recall: 1 / 4 });
  });

  test("reach to the k-th nearest: radii by brute force", () => {
    const [n, dim, k] = [40, 2, 3];
    const [real, samples] = [1, 2].map((seed) => Float32Array.from(normals(n * dim, seed)));
    const at = (set: Float32Array, i: number) => [set[2 * i]!, set[2 * i + 1]!];
    const apart = (a: number[], b: number[]) => (a[0]! - b[0]!) ** 2 + (a[1]! - b[1]!) ** 2;
    const reach = (set: Float32Array) =>
      Array.from({ length: n }, (_, i) => {
        const all = Array.from({ length: n }, (_, j) => apart(at(set, i), at(set, j)));
        return sorted(all)[k]!; // the first is itself
      });
    const inside = (of: Float32Array, balls: Float32Array) => {
      const radii = reach(balls);
      const held = Array.from({ length: n }, (_, j) =>
        radii.filter((r, i) => apart(at(of, j), at(balls, i)) <= r),
      );
      return { share: held.filter((h) => h.length > 0).length / n, count: held.flat().length };
    };
    const figures = manifoldFigures(real!, samples!, { dim, k });
    expect(figures.precision).toBe(inside(samples!, real!).share);
    expect(figures.recall).toBe(inside(real!, samples!).share);
    expect(figures.density).toBeCloseTo(inside(samples!, real!).count / (k * n), 12);
  });

  test("tell fidelity from variety", () => {
    const wide = Float32Array.from(normals(400, 1));
    const narrow = Float32Array.from(normals(400, 2), (v) => v / 20);
    const { precision, recall } = manifoldFigures(wide, narrow, { dim: 2 });
    expect(precision).toBeGreaterThan(0.9);
    expect(recall).toBeLessThan(0.2);
  });
});

describe("copies", () => {
  test("the nearest come in order, equally near ones as they stand", () => {
    const { index, distance } = nearestNeighbours(
      Float32Array.of(0, 0, 5, 5),
      Float32Array.of(3, 4, 1, 0, 0, 1, 5, 5),
      2,
      3,
    );
    expect([...index]).toEqual([1, 2, 0, 3, 0, 1]);
    expect([...distance]).toEqual([1, 1, 5, 0, Math.sqrt(5), Math.sqrt(41)]);
    expect(nearestNeighbours(Float32Array.of(1), Float32Array.of(2), 1, 5).count).toBe(1);
  });

  test("are told by Mann and Whitney's statistic, ties halved", () => {
    const of = (a: number[], b: number[]) => copying(Float64Array.from(a), Float64Array.from(b));
    expect(of([0, 0], [1, 2, 3])).toEqual({
      ...{ median: { samples: 0, heldBack: 2 }, nearer: 1, z: 3 / Math.sqrt(3) },
      count: { samples: 2, heldBack: 3 },
    });
    expect(of([2, 5], [1, 2, 3]).nearer).toBeCloseTo((1 + 0.5) / 6, 12);
  });

  test("of one law show no copying: z is standard normal", () => {
    const zs = Array.from(
      { length: 200 },
      (_, k) => copying(normals(30, 2 * k + 1), normals(50, 2 * k + 2)).z,
    );
    const mean = zs.reduce((sum, z) => sum + z, 0) / 200;
    const variance = zs.reduce((sum, z) => sum + z * z, 0) / 200;
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(200));
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / 200));
  });
});

test("says what is wrong", () => {
  const two = new Float32Array(6);
  expect(() => copying(new Float64Array(2), new Float64Array(0))).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: copying: got 2 distances of samples and 0 of held-back images, expected at least one of each]`,
  );
  expect(() => momentsOf(two, 6)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: momentsOf: got vectors of 6 values, expected whole vectors of 6, at least 2; give dim as channels * height * width]`,
  );
  expect(() =>
    frechetDistance(moments([0], [[1]]), moments([0, 0], diagonal([1, 1]))),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: frechetDistance: got moments of 1 and 2 dimensions, expected the same features of both sets]`,
  );
  expect(() => kernelDistance(two, two, { dim: 2 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: kernelDistance: got a of 6 values, expected whole vectors of 2, at least 4; give dim as channels * height * width]`,
  );
  expect(() => kernelDistance(two, two, { dim: 1, blockSize: 1 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: kernelDistance: got blockSize 1, expected a whole number from 2]`,
  );
  expect(() => inceptionScore(two, { classes: 3 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: inceptionScore: got 10 splits of 2 images, expected a whole number of them from 1 to 2]`,
  );
  expect(() => manifoldFigures(two, two, { dim: 2 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: manifoldFigures: got real of 6 values, expected whole vectors of 2, at least 4; give dim as channels * height * width]`,
  );
  expect(() => manifoldFigures(two, two, { dim: 1, k: 0 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: manifoldFigures: got k 0, expected a whole number from 1; 3 is usual]`,
  );
});
