import { expect, test } from "vitest";
import { eightGaussians, type Toy, toys, twoGaussians } from "../../data/toys.ts";

const points = (toy: Toy, n: number, seed = 0): [number, number][] => {
  const values = toy.sample(n, seed);
  return Array.from({ length: n }, (_, i) => [values[2 * i]!, values[2 * i + 1]!]);
};

test.each(Object.values(toys))("$name: the seed decides, points stay on the page", (toy) => {
  expect(toy.sample(100, 1)).toEqual(toy.sample(100, 1));
  expect(toy.sample(100, 1)).not.toEqual(toy.sample(100, 2));
  expect(toy.sample(100, 1)).toEqual(toy.sample(200, 1).subarray(0, 200));
  for (const value of toy.sample(2000, 1)) expect(Math.abs(value)).toBeLessThan(11);
});

test("two Gaussians: a fifth of the points around (-5, -5), the rest around (5, 5), all of unit variance", () => {
  const drawn = points(twoGaussians, 20_000);
  const low = drawn.filter(([x, y]) => x + y < 0);
  expect(Math.abs(low.length / 20_000 - 1 / 5)).toBeLessThan(4 * Math.sqrt(0.16 / 20_000));
  const mean = low.reduce((sum, [x]) => sum + x, 0) / low.length;
  const variance = low.reduce((sum, [x]) => sum + (x - mean) ** 2, 0) / low.length;
  expect(Math.abs(mean + 5)).toBeLessThan(4 / Math.sqrt(low.length));
  expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / low.length));
});

test.each([
  ["two Gaussians, no noise", twoGaussians, 0],
  ["two Gaussians, sigma 3", twoGaussians, 3],
  ["eight Gaussians, no noise", eightGaussians, 0],
  ["eight Gaussians, sigma 1/2", eightGaussians, 0.5],
])("%s: the score is the slope of the log density", (_, toy, sigma) => {
  const step = 1e-5;
  for (const [x, y] of [
    [0.1, 0.2],
    [-5, -4],
    [3, -1],
    [4, 4],
    [1, 6],
  ] as const) {
    const along = (dx: number, dy: number) => {
      const [up, down] = toy.logDensity([x + dx, y + dy, x - dx, y - dy], sigma);
      return (up! - down!) / (2 * step);
    };
    const [sx, sy] = toy.score([x, y], sigma);
    expect(Math.abs(along(step, 0) - sx!)).toBeLessThan(1e-6 * (1 + Math.abs(sx!)));
    expect(Math.abs(along(0, step) - sy!)).toBeLessThan(1e-6 * (1 + Math.abs(sy!)));
  }
});

test.each([0, 2])("the density integrates to one, sigma %d", (sigma) => {
  const h = 0.1;
  const grid: number[] = [];
  for (let x = -20; x < 20; x += h) for (let y = -20; y < 20; y += h) grid.push(x, y);
  for (const toy of [twoGaussians, eightGaussians]) {
    const mass = toy.logDensity(grid, sigma).reduce((sum, log) => sum + Math.exp(log), 0) * h * h;
    expect(mass).toBeCloseTo(1, 6);
  }
});

test("far from every Gaussian the score still points home, and nothing overflows", () => {
  const [x, y] = eightGaussians.score([1000, 0]);
  expect(x).toBeCloseTo(-996 / 0.09, 3);
  expect(y).toBeCloseTo(0, 6);
  expect(Number.isFinite(eightGaussians.logDensity([1e4, 1e4])[0])).toBe(true);
});

test("checkerboard: only the dark squares, each equally often", () => {
  const squares = new Map<string, number>();
  for (const [x, y] of points(toys.checkerboard, 8000)) {
    const [column, row] = [Math.floor(x / 2), Math.floor(y / 2)];
    expect(Math.abs(column + row) % 2).toBe(0);
    squares.set(`${column} ${row}`, (squares.get(`${column} ${row}`) ?? 0) + 1);
  }
  expect(squares.size).toBe(8);
  for (const count of squares.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
});

test("rings: four radii, each as often as its ring is long", () => {
  const counts = [0, 0, 0, 0];
  for (const [x, y] of points(toys.rings, 10_000)) counts[Math.round(Math.hypot(x, y)) - 1]!++;
  for (const [k, count] of counts.entries())
    expect(Math.abs(count / 10_000 - (k + 1) / 10)).toBeLessThan(0.02);
});

test("a toy names a wrong number of points", () => {
  expect(() => toys.rings.sample(1.5, 0)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: rings: got n 1.5, expected a whole number of points; 2000 show the shape]`,
  );
});
