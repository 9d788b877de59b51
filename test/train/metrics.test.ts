import { expect, test } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import {
  mmdSquared,
  nearestNeighbours,
  sampleQuality,
  slicedWasserstein,
} from "../../train/metrics/index.ts";
import { medianDistance } from "../../train/metrics/mmd.ts";
import { uniformStream, unitDirection } from "../../train/metrics/projections.ts";
import { squaredW2 } from "../../train/metrics/sliced-wasserstein.ts";
import { zScore } from "../support/near.ts";

/** Normal vectors [n, dim], each axis with the given mean and deviation. */
function normals(n: number, dim: number, { seed = 1, mean = 0, deviation = 1 } = {}): Float32Array {
  const uniform = uniformStream(seed);
  return Float32Array.from({ length: n * dim }, () => {
    const z = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return mean + deviation * z;
  });
}

test("streams differ with all 53 bits of the seed", () => {
  const first = (seed: number) => uniformStream(seed)();
  const seeds = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 33, 2 ** 53 - 1];
  expect(new Set(seeds.map(first)).size).toBe(seeds.length);
  expect(first(0)).not.toBe(first(2 ** 32));
});

const w2 = (a: number[], b: number[]) => Math.sqrt(squaredW2(Float64Array.from(a), Float64Array.from(b)));

test("in one dimension equally many points are paired in order", () => {
  expect(w2([0, 1, 5], [1, 3, 5])).toBeCloseTo(Math.sqrt((1 + 4 + 0) / 3), 12);
});

test("in one dimension unequal numbers share their mass", () => {
  expect(w2([0], [-1, 1])).toBeCloseTo(1, 12);
  expect(w2([0, 6], [0, 3, 6])).toBeCloseTo(Math.sqrt((9 / 6) * 2), 12); // half of 3's third comes from each
  const [a, b] = [
    [1, 2, 4, 8],
    [0, 3, 5],
  ];
  const repeat = (values: number[], times: number) =>
    values.flatMap((value) => new Array<number>(times).fill(value));
  expect(w2(a, b)).toBeCloseTo(w2(repeat(a, 3), repeat(b, 4)), 12);
});

test("directions are unit vectors without a favourite", () => {
  const uniform = uniformStream(3);
  const mean = new Float64Array(5);
  const square = new Float64Array(5);
  for (let k = 0; k < 10_000; k++) {
    const direction = unitDirection(5, uniform);
    expect(Math.hypot(...direction)).toBeCloseTo(1, 12);
    direction.forEach((value, i) => {
      mean[i]! += value / 10_000;
      square[i]! += value ** 2 / 10_000;
    });
  }
  for (const value of mean) expect(Math.abs(value)).toBeLessThan(4 * Math.sqrt(1 / 5 / 10_000));
  for (const value of square) expect(Math.abs(value - 1 / 5)).toBeLessThan(0.01);
});

test("a set shifted by s is |s| / sqrt(dim) away, however many points", () => {
  const [n, dim, shift] = [200, 6, 3];
  const a = normals(n, dim);
  const b = a.map((value, i) => value + (i % dim === 0 ? shift : 0)); // along the first axis
  const distance = slicedWasserstein(a, b, { dim, projections: 20_000, seed: 1 });
  expect(distance).toBeCloseTo(shift / Math.sqrt(dim), 1);
});

test.each([
  ["means 2 apart along every axis", { mean: 2 }, 2],
  ["deviations 1 and 3", { deviation: 3 }, 2],
  ["both", { mean: -1, deviation: 2 }, Math.SQRT2],
])("Gaussians with %s have the distance of their closed form", (_, other, expected) => {
  // Along a unit direction: W2^2 = (difference of means)^2 + (difference of deviations)^2. In mean over directions the first is |s|^2 / dim.
  const [n, m, dim] = [6000, 5000, 4];
  const a = normals(n, dim);
  const b = normals(m, dim, { seed: 2, ...other });
  const distance = slicedWasserstein(a, b, { dim, projections: 400, seed: 5 });
  expect(Math.abs(distance / expected - 1)).toBeLessThan(0.06);
});

test("the same seed gives the same distance; equal sets are 0 apart", () => {
  const [a, b] = [normals(50, 3), normals(40, 3, { seed: 9 })];
  const options = { dim: 3, seed: 7 };
  expect(slicedWasserstein(a, b, options)).toBe(slicedWasserstein(a, b, options));
  expect(slicedWasserstein(a, b, options)).not.toBe(slicedWasserstein(a, b, { ...options, seed: 8 }));
  expect(slicedWasserstein(a, b, options)).toBeCloseTo(slicedWasserstein(b, a, options), 12);
  expect(slicedWasserstein(a, a, options)).toBe(0);
});

/** E k(x, y), x ~ N(0, I), y ~ N(mean, deviation^2 I), k Gaussian of the given width. */
function expectedKernel(width: number, dim: number, variances: number, meanGap: number): number {
  const spread = width ** 2 + variances;
  return (width ** 2 / spread) ** (dim / 2) * Math.exp((-dim * meanGap ** 2) / (2 * spread));
}

test("MMD^2 of two Gaussians is its closed form, in mean over many draws", () => {
  const [n, m, dim, width, count] = [60, 50, 3, 1.5, 400];
  const [mean, deviation] = [0.5, 1.4];
  const expected =
    expectedKernel(width, dim, 2, 0) +
    expectedKernel(width, dim, 2 * deviation ** 2, 0) -
    2 * expectedKernel(width, dim, 1 + deviation ** 2, mean);
  const draws = Array.from({ length: count }, (_, k) =>
    mmdSquared(normals(n, dim, { seed: 2 * k + 1 }), normals(m, dim, { seed: 2 * k + 2, mean, deviation }), {
      dim,
      bandwidths: [width],
    }),
  );
  const average = draws.reduce((sum, value) => sum + value, 0) / count;
  const spread = Math.sqrt(draws.reduce((sum, value) => sum + (value - average) ** 2, 0) / (count - 1));
  expect(Math.abs(zScore(average, expected, spread, count))).toBeLessThan(4);
});

test("a mixture of kernels is the mean of each", () => {
  const [a, b] = [normals(30, 2), normals(20, 2, { seed: 2, mean: 1 })];
  const of = (...bandwidths: number[]) => mmdSquared(a, b, { dim: 2, bandwidths });
  expect(of(0.5, 2)).toBeCloseTo((of(0.5) + of(2)) / 2, 12);
});

test("MMD^2 is unbiased: over many draws of one distribution it averages to zero, going below too", () => {
  const draws = Array.from({ length: 200 }, (_, k) =>
    mmdSquared(normals(20, 2, { seed: 2 * k + 1 }), normals(25, 2, { seed: 2 * k + 2 }), { dim: 2 }),
  );
  const mean = draws.reduce((sum, value) => sum + value, 0) / 200;
  const deviation = Math.sqrt(draws.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 200);
  expect(Math.abs(mean)).toBeLessThan((4 * deviation) / Math.sqrt(200));
  expect(draws.filter((value) => value < 0).length).toBeGreaterThan(50);
});

test("the median distance of standard normals is that of a chi distribution", () => {
  // |x - y|^2 / 2 is chi squared of 2 degrees, whose median is 2 ln 2.
  expect(
    Math.abs(medianDistance(normals(900, 2), normals(900, 2, { seed: 5 }), 2) - Math.sqrt(4 * Math.LN2)),
  ).toBeLessThan(0.06);
  expect(medianDistance(new Float32Array(4), new Float32Array(4), 2)).toBe(1);
});

/** Pictures of 16 values: a bright stripe at one of four places. */
function stripes(n: number, seed: number): Float32Array {
  const uniform = uniformStream(seed);
  const out = new Float32Array(16 * n);
  for (let i = 0; i < n; i++) {
    const place = Math.floor(uniform() * 4);
    for (let k = 0; k < 4; k++) out[16 * i + 4 * place + k] = 0.8 + 0.2 * uniform();
  }
  return out;
}

test("another draw of the data scores near 100 percent, noise near 0, half and half between", () => {
  const quality = (samples: Float32Array) =>
    sampleQuality({ samples, heldBack: stripes(800, 1), dim: 16, projections: 128 });
  const uniform = uniformStream(77);
  const noise = Float32Array.from({ length: 400 * 16 }, uniform);
  const mixed = stripes(400, 3);
  mixed.set(noise.subarray(0, 200 * 16));

  expect(Math.abs(quality(stripes(400, 2)).score - 100)).toBeLessThan(12);
  expect(Math.abs(quality(noise).score)).toBeLessThan(5);
  expect(quality(mixed).score).toBeGreaterThan(25);
  expect(quality(mixed).score).toBeLessThan(75);
  expect(quality(new Float32Array(400 * 16).fill(1)).score).toBeLessThan(0);
  const { slicedWasserstein: slices, count } = quality(mixed);
  expect(count).toBe(400);
  expect(slices.data).toBeLessThan(slices.samples);
  expect(slices.samples).toBeLessThan(slices.noise);
});

test("copies of training images are found out, though their score is high", () => {
  const train = stripes(300, 4);
  const heldBack = stripes(400, 1);
  const copies = sampleQuality({ samples: train.subarray(0, 16 * 200), heldBack, train, dim: 16 });
  expect(copies.score).toBeGreaterThan(85);
  expect(copies.nearestTrain?.samples).toBe(0);
  expect(copies.nearestTrain?.heldBack).toBeGreaterThan(0.01);
});

test("says what is wrong with point sets", () => {
  const two = new Float32Array(6);
  const broken = Float32Array.of(0, 0, 0, 0, NaN, 0);
  const slice = (a: Float32Array) => () => slicedWasserstein(a, two, { dim: 3, seed: 0 });
  expect(slice(new Float32Array(7))).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: slicedWasserstein: got a of 7 values, expected whole vectors of 3, at least 1; give dim as channels * height * width]`,
  );
  expect(slice(broken)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: slicedWasserstein: got NaN in a (vector 1), expected finite values; a sampler that diverged needs smaller steps]`,
  );
  expect(() => mmdSquared(two, two, { dim: 6 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: mmdSquared: got a of 6 values, expected whole vectors of 6, at least 2; give dim as channels * height * width]`,
  );
  expect(() => nearestNeighbours(two, broken, 3)).toThrow(
    "nearestNeighbours: got NaN in b (vector 1), expected finite values",
  );
  expect(() => nearestNeighbours(new Float32Array(7), two, 3)).toThrow(
    "nearestNeighbours: got a of 7 values, expected whole vectors of 3",
  );
  for (const projections of [0, 1.5])
    expect(() => slicedWasserstein(two, two, { dim: 3, projections, seed: 0 })).toThrow(
      new UsageError(`slicedWasserstein: got projections ${projections}, expected a whole number from 1`),
    );
  expect(() => sampleQuality({ samples: two, heldBack: two, dim: 3, seed: NaN })).toThrow(
    new UsageError("slicedWasserstein: got seed NaN, expected a whole number from 0"),
  );
  for (const bandwidths of [[], [1, 0], [NaN], [Infinity]])
    expect(() => mmdSquared(two, two, { dim: 3, bandwidths })).toThrow(
      new UsageError(
        `mmdSquared: got bandwidths [${bandwidths}], expected positive numbers, at least one; leave them out for some around the median distance`,
      ),
    );
  for (const most of [0, 1.5])
    expect(() => nearestNeighbours(two, two, 3, most)).toThrow(
      new UsageError(`nearestNeighbours: got most ${most}, expected a whole number from 1`),
    );
  expect(() =>
    sampleQuality({ samples: two, heldBack: two.subarray(3), dim: 3 }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: sampleQuality: got heldBack of 3 values, expected whole vectors of 3, at least 2; give dim as channels * height * width]`,
  );
});
