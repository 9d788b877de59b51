/** The largest distance of two points, found on the device, against all pairs in float64. */
import { expect, test } from "vitest";
import { largestDistance, type Points } from "../../train/techniques/index.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

const pointsOf = (values: Float32Array, dimensions: number): Points => ({
  count: values.length / dimensions,
  dimensions,
  read: (i, out, offset) => out.set(values.subarray(i * dimensions, (i + 1) * dimensions), offset),
});

/** All pairs in float64. */
function bruteForce({ count, dimensions, read }: Points): { distance: number; pair: number[] } {
  const rows = Array.from({ length: count }, (_, i) => {
    const row = new Float32Array(dimensions);
    read(i, row, 0);
    return row;
  });
  let best = { distance: -1, pair: [0, 0] };
  for (let i = 0; i < count; i++)
    for (let j = 0; j < i; j++) {
      let squares = 0;
      for (let d = 0; d < dimensions; d++) squares += (rows[i]![d]! - rows[j]![d]!) ** 2;
      if (Math.sqrt(squares) > best.distance) best = { distance: Math.sqrt(squares), pair: [j, i] };
    }
  return best;
}

const drawn = (change: (value: number, point: number, axis: number) => number) =>
  pointsOf(
    Float32Array.from(normal([70, 9], 4).data, (value, k) => change(value, Math.floor(k / 9), k % 9)),
    9,
  );

const sets: Record<string, Points> = {
  "points all around": drawn((value) => value),
  "points far from the origin, where the squares would cancel": drawn((value) => 3000 + value),
  "a long cloud": drawn((value, _, axis) => (axis === 0 ? 20 : 0.1) * value),
  "points on a sphere, all as far from the middle": drawn((value, point, axis) => {
    const row = Array.from(normal([70, 9], 4).data.subarray(9 * point, 9 * point + 9));
    return (value / Math.hypot(...row)) * (axis >= 0 ? 1 : 0);
  }),
};

test.each(Object.entries(sets))("%s", async (_, points) => {
  const before = engine.memory().live;
  const truth = bruteForce(points);
  for (const options of [{}, { tile: 16 }, { tile: 16, memory: 0 }]) {
    const { distance, pair } = await largestDistance(engine, points, options);
    expect(distance).toBe(truth.distance);
    expect([...pair].sort((a, b) => a - b)).toEqual(truth.pair);
  }
  expect(engine.memory().live).toBe(before);
});

test("tiles that cannot hold it are left out", async () => {
  const seen: number[] = [];
  const { compared, total } = await largestDistance(engine, sets["a long cloud"]!, {
    tile: 8,
    onProgress: (done, of) => seen.push(done / of),
  });
  expect(total).toBe(45);
  expect(compared).toBeLessThan(10);
  expect(seen.at(-1)).toBe(1);
});

test("points that are all the same have no distance", async () => {
  const same = pointsOf(new Float32Array(20).fill(0.3), 4);
  expect((await largestDistance(engine, same)).distance).toBe(0);
});

test("one point is refused", async () => {
  await expect(largestDistance(engine, pointsOf(new Float32Array(3), 3))).rejects.toThrow(
    /^distance: got 1 images, expected at least two$/,
  );
});
