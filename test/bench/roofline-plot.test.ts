/** The roofline as a picture: what is drawn lies where the numbers say. */
import { describe, expect, test } from "vitest";
import { kinds } from "../../bench/roofline/families.ts";
import { type Point, rooflinePlot } from "../../bench/roofline/plot.ts";

const roofs = { gigaflops: 100, gigabytesPerSecond: 20 };
const point = (name: string, group: string, intensity: number, gigaflops: number): Point => ({
  name,
  group,
  bound: "compute",
  intensity,
  gigaflops,
  limit: "compute",
});

/** Where each case's mark was put, by its name. */
function marksOf(svg: string): Map<string, { x: number; y: number; kind: string }> {
  const found = svg.matchAll(
    /<path class="point (\w+)" d="[^"]*" transform="translate\(([\d.]+) ([\d.]+)\)"><title>([^:]+):/g,
  );
  return new Map(
    [...found].map(([, kind, x, y, name]) => [name!, { x: Number(x), y: Number(y), kind: kind! }]),
  );
}

/** The corners of the solid roof: where it enters, where its limits meet, where it leaves. */
function roofOf(svg: string): [number, number][] {
  const [, path] = /<path class="roof" d="([^"]+)"/.exec(svg)!;
  return path!
    .split(/[ML]/)
    .filter(Boolean)
    .map((pair) => pair.split(" ").map(Number) as [number, number]);
}

describe("the roofline plot", () => {
  const svg = rooflinePlot({
    roofs,
    title: "A <GPU>",
    cases: [
      point("at the corner", "conv2d", 5, 100),
      point("on the slope", "norm", 0.5, 10),
      point("on the flat", "matmul", 50, 100),
      { ...point("a tenth of the corner", "unary", 5, 10), limit: "dispatch" },
      point("roofline copy", "roofline", 1, 1),
      { ...point("tiny ops", "dispatch", 0.1, 0.001), bound: "dispatch" },
      {
        name: "no operations",
        group: "copy",
        bound: "memory",
        intensity: undefined,
        gigaflops: undefined,
        limit: "memory",
      },
    ],
  });
  const marks = marksOf(svg);
  const [enters, corner, leaves] = roofOf(svg);

  test("puts a case that reaches its roof onto the line", () => {
    const { x, y } = marks.get("at the corner")!;
    expect([x, y]).toEqual([expect.closeTo(corner![0], 0), expect.closeTo(corner![1], 0)]);
    expect(marks.get("on the flat")!.y).toBeCloseTo(leaves![1], 0);
    const slope = marks.get("on the slope")!;
    const along = (slope.x - enters![0]) / (corner![0] - enters![0]);
    expect(slope.y).toBeCloseTo(enters![1] + along * (corner![1] - enters![1]), 0);
  });

  test("is logarithmic in both: a decade is as long everywhere", () => {
    const at = (name: string) => marks.get(name)!;
    const decadeX = at("on the flat").x - at("at the corner").x;
    expect(at("at the corner").x - at("on the slope").x).toBeCloseTo(decadeX, 0);
    expect(at("a tenth of the corner").y - at("at the corner").y).toBeCloseTo(
      at("on the slope").y - at("on the flat").y,
      0,
    );
  });

  test("leaves out what has no place and the roofs' own cases", () => {
    expect([...marks.keys()].toSorted()).toEqual([
      "a tenth of the corner",
      "at the corner",
      "on the flat",
      "on the slope",
    ]);
    expect(svg).toContain("4 cases lie under them, 3 of them at 70 % of their roof or more");
  });

  test("tells of each case how high it is under what is drawn, and which launching holds down", () => {
    const told = (name: string) => new RegExp(`<title>(${name}: [^<]+)</title>`).exec(svg)![1];
    expect(told("on the slope")).toBe(
      "on the slope: 10.0 GFLOP/s at 0.500 operations a byte, 100 % of its roof",
    );
    expect(told("a tenth of the corner")).toBe(
      "a tenth of the corner: 10.0 GFLOP/s at 5.00 operations a byte, 10 % of its roof; " +
        "launching it takes longer than either",
    );
  });

  test("tells families by shape as well as colour, and names those that are there", () => {
    expect(marks.get("at the corner")!.kind).toBe("convolution");
    expect(new Set(Object.values(kinds).map((k) => k.outline)).size).toBe(Object.keys(kinds).length);
    for (const name of ["convolution", "matrix product, attention", "norm, softmax, reduction"])
      expect(svg).toContain(`>${name}</text>`);
    expect(svg).not.toContain("pooling, resampling");
  });

  test("is markup whatever the names hold, with colours for a dark ground", () => {
    expect(svg).toContain("<title>A &lt;GPU&gt;</title>");
    expect(svg).toContain("prefers-color-scheme:dark");
    expect(svg.match(/<(?!\/|path|rect|svg|title|desc|style|text|clipPath|g\b)/g)).toBeNull();
  });

  test("stands without any case", () => {
    expect(rooflinePlot({ roofs, cases: [], title: "empty" })).toContain("0 cases lie under them");
  });
});
