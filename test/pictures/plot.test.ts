import fc from "fast-check";
import { expect, test } from "vitest";
import { linePlot } from "../../cli/pictures/plot.ts";
import { label, linearAxis, logAxis } from "../../cli/pictures/ticks.ts";

const texts = (svg: string) =>
  Array.from(svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g), ([, content]) => content);
const paths = (svg: string) => Array.from(svg.matchAll(/<path d="([^"]*)"/g), ([, path]) => path);

test("ticks are round numbers around the values", () => {
  expect(linearAxis([0.13, 0.87]).ticks).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(linearAxis([-3, 12]).ticks).toEqual([-5, 0, 5, 10, 15]);
  expect(linearAxis([7]).ticks).toEqual([2, 4, 6, 8, 10, 12]);
  expect(linearAxis([]).ticks).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(logAxis([0.03, 400]).ticks).toEqual([0.01, 0.1, 1, 10, 100, 1000]);
  expect(logAxis([3, 40]).ticks).toEqual([2, 5, 10, 20, 50]);
});

test("an axis of any values encloses them, with few ticks, in order", () => {
  const axes = [linearAxis, logAxis];
  fc.assert(
    fc.property(
      fc.constantFrom(...axes),
      fc.array(fc.double({ min: 1e-12, max: 1e12, noNaN: true }), { minLength: 1, maxLength: 5 }),
      (axis, values) => {
        const { low, high, ticks } = axis(values);
        expect(low).toBeLessThan(high);
        expect(low).toBeLessThanOrEqual(Math.min(...values) * (1 + 1e-8));
        expect(high).toBeGreaterThanOrEqual(Math.max(...values) * (1 - 1e-8));
        expect(ticks.length).toBeGreaterThan(1);
        expect(ticks.length).toBeLessThan(12);
        expect(ticks).toEqual([...new Set(ticks)].sort((a, b) => a - b));
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

test("labels are short", () => {
  expect([0, 0.25, 12000, 1e-5, 3e6, -2e-4].map(label)).toEqual([
    "0",
    "0.25",
    "12000",
    "1e-5",
    "3e6",
    "-2e-4",
  ]);
});

const line = { title: "Loss", xLabel: "step", yLabel: "loss" };

test("title, labels and names are shown, their signs escaped", () => {
  const svg = linePlot({
    ...line,
    title: "a < b & c",
    series: [
      { name: "train", x: [0, 1], y: [0, 1] },
      { name: "held back", x: [0, 1], y: [1, 2] },
    ],
  });
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  for (const name of ["a &lt; b &amp; c", "step", "loss", "train", "held back"])
    expect(texts(svg)).toContain(name);
});

test("a line runs from corner to corner of the plot; y grows upwards", () => {
  const svg = linePlot({ ...line, series: [{ name: "train", x: [0, 5, 10], y: [0, 0.5, 1] }] });
  expect(paths(svg)).toEqual(["M76 368L356 208L636 48"]);
});

test("under logY equal factors are equal steps", () => {
  const svg = linePlot({
    ...line,
    logY: true,
    series: [{ name: "train", x: [0, 5, 10], y: [1e-2, 1, 1e2] }],
  });
  expect(paths(svg)).toEqual(["M76 368L356 208L636 48"]);
});

test("what cannot be shown is a gap, and a series of nothing is no line", () => {
  const holes = { name: "holes", x: [0, 1, 2, 3, 4], y: [1, NaN, 2, 3, Infinity] };
  expect(paths(linePlot({ ...line, series: [holes] }))[0]!.match(/M/g)).toHaveLength(2);
  const negative = { name: "negative", x: [0, 1, 2], y: [10, -1, 1] };
  expect(paths(linePlot({ ...line, logY: true, series: [negative] }))[0]!.match(/M/g)).toHaveLength(2);
  for (const svg of [
    linePlot({ ...line, series: [] }),
    linePlot({ ...line, series: [{ name: "none", x: [], y: [] }] }),
  ]) {
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  }
});

test("a long line is drawn without dots, and drawn at all", () => {
  const x = Float64Array.from({ length: 200_000 }, (_, i) => i);
  const svg = linePlot({ ...line, series: [{ name: "long", x, y: x }] });
  expect(svg).not.toMatch(/<circle/);
  expect(svg).toMatch(/636 48"/);
});

test("says when x and y differ in length", () => {
  const series = [{ name: "train", x: [1, 2], y: [1] }];
  expect(() => linePlot({ ...line, series })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: linePlot: got 2 x and 1 y in "train", expected as many of each; fill holes with NaN]`,
  );
});
