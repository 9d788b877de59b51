import { decode } from "fast-png";
import { describe, expect, test } from "vitest";
import { lengths, planeGrid, quantile } from "../../bench/figures/plane.ts";
import { shade } from "../../bench/figures/svg/colours.ts";
import { arrows, dots, heat, line, type View } from "../../bench/figures/svg/marks.ts";
import { panelFigure } from "../../bench/figures/svg/panels.ts";

/** A unit is 10 pixels; y grows upwards from the pixel 100. */
const view: View = { x: (value) => 10 * value, y: (value) => 100 - 10 * value };
const pathOf = (svg: string) => /<path d="([^"]*)"/.exec(svg)![1];

describe("arrows", () => {
  const size = { pixels: 20, longest: 4 };
  /** Start and shaft of an arrow. */
  const shaft = (svg: string) =>
    /^M(\S+) (\S+)l(-?[\d.]+) (-?[\d.]+)/.exec(pathOf(svg)!)!.slice(1).map(Number);

  test("go up for what points up, as far as it is long", () => {
    expect(shaft(arrows([1, 2], [0, 2], "red", size)(view))).toEqual([10, 80, 0, -10]);
    expect(shaft(arrows([1, 2], [-1, 0], "red", size)(view))).toEqual([10, 80, -5, 0]);
  });

  test("are no longer than the longest", () => {
    expect(shaft(arrows([0, 0], [30, 40], "red", size)(view))).toEqual([0, 100, 12, -16]);
  });

  test("open their heads to both sides of the tip, behind it", () => {
    const [, first, away, second] = /l0 -20l(\S+ \S+?)m(\S+ \S+?)l(\S+ \S+)$/.exec(
      pathOf(arrows([0, 0], [0, 4], "red", size)(view))!,
    )!;
    const numbers = (step = "") => step.split(" ").map(Number);
    const [[x1, y1], [x2, y2], [x3, y3]] = [numbers(first), numbers(second), numbers(away)];
    expect(x1).toBe(-x2!);
    expect(y1).toBe(y2);
    expect(y1).toBeGreaterThan(0); // backwards is down
    expect([x3, y3]).toEqual([-x1!, -y1!]);
  });

  test("of nothing are not drawn", () => {
    expect(pathOf(arrows([0, 0, 1, 1], [0, 0, Number.NaN, 1], "red", size)(view))).toBe("");
    expect(() => arrows([0, 0], [1], "red", size)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: arrows: got 2 coordinates and 1 of vectors, expected as many of each]`,
    );
  });
});

test("dots and lines are where they should be, gaps left open", () => {
  expect(pathOf(dots([1, 2, 3, 4], "red")(view))).toBe("M10 80h0M30 60h0");
  expect(pathOf(line([0, 1, 2, 3], [0, 1, Number.NaN, 3], "red")(view))).toBe("M0 100L10 90M30 70");
});

test("a map's lowest row lies at the bottom, its colours run from light to dark", () => {
  const svg = heat([0, 1, 2, 4], { side: 2, low: -1, high: 1, most: 2 })(view);
  expect(svg).toContain(`x="-10" y="90" width="20" height="20"`);
  const { data } = decode(Buffer.from(/base64,([^"]+)/.exec(svg)![1]!, "base64"));
  const pixels = [0, 1, 2, 3].map((i) => [...data.slice(3 * i, 3 * i + 3)]);
  expect(pixels).toEqual([shade(1), shade(1), shade(0), shade(0.5)]); // above the darkest is darkest
  const brightness = [0, 0.2, 0.4, 0.6, 0.8, 1].map((s) => shade(s).reduce((sum, v) => sum + v, 0));
  expect(brightness).toEqual(brightness.toSorted((a, b) => b - a));
  expect(() => heat([1], { side: 2, low: 0, high: 1, most: 1 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: heat: got 1 values, expected 4 for 2 x 2]`,
  );
});

test("a figure shows its titles escaped, its panels cut at their own edges, and a legend", () => {
  const axis = { low: 0, high: 10, ticks: [0, 5, 10] };
  const panel = { xAxis: axis, yAxis: axis, marks: [dots([0, 0, 10, 10], "red")] };
  const svg = panelFigure({
    title: "a < b",
    panels: [
      { ...panel, title: "first" },
      { ...panel, title: "second", xLabel: "step" },
    ],
    legend: [{ name: "points", colour: "red" }],
    width: 100,
    height: 100,
  });
  for (const shown of ["<title>a &lt; b<", ">a &lt; b<", ">first<", ">second<", ">step<", ">points<"])
    expect(svg).toContain(shown);
  const clips = [...svg.matchAll(/<clipPath id="(p\d)"><rect x="(\d+)" y="(\d+)"/g)];
  const starts = [...svg.matchAll(/<g clip-path="url\(#(p\d)\)"><path d="M(\S+) (\S+)h0M(\S+) (\S+)h0"/g)];
  for (const [i, [, id, x1, y1, x2, y2]] of starts.entries()) {
    const [, clip, left, top] = clips[i]!;
    expect(id).toBe(clip);
    expect([x1, y1, x2, y2].map(Number)).toEqual([
      Number(left),
      Number(top) + 100,
      Number(left) + 100,
      Number(top),
    ]);
  }
  expect(starts.length).toBe(2);
});

test("a grid holds the middles of its cells, the lowest row first", () => {
  expect([...planeGrid(2, -1, 3)]).toEqual([0, 0, 2, 0, 0, 2, 2, 2]);
  expect([...lengths([3, 4, 0, -2])]).toEqual([5, 2]);
  expect(quantile(Float64Array.from([4, 1, 3, 2, 5]), 0.75)).toBe(4);
});
