/** What the Learn view counts, draws and says, without a page or a device. */
import { describe, expect, test } from "vitest";
import { curve, thinned } from "../../web/learn/curve.ts";
import { MOST_STEPS } from "../../web/learn/live-fit.ts";
import { Pace, Rate } from "../../web/learn/pace.ts";
import { alignment, near } from "../../web/learn/words.ts";

describe("pace", () => {
  test("fills a frame of 40 ms with steps, doubling at most", () => {
    const pace = new Pace();
    const taken: number[] = [];
    for (let frame = 0; frame < 8; frame++) {
      taken.push(pace.steps);
      pace.took(2 + 1.9 * pace.steps);
    }
    expect(taken).toEqual([1, 2, 4, 8, 16, 19, 19, 19]);
  });

  test("comes down at once when a frame was long, to one step at least, and never passes what is kept of losses", () => {
    const pace = new Pace();
    for (let frame = 0; frame < 12; frame++) pace.took(0.1);
    expect(pace.steps).toBe(MOST_STEPS);
    pace.took(400);
    expect(pace.steps).toBe(25);
    pace.took(5000);
    expect(pace.steps).toBe(1);
  });

  const taken = (pace: Pace, frames: number, time: (steps: number, frame: number) => number): number[] =>
    Array.from({ length: frames }, (_, frame) => {
      const { steps } = pace;
      pace.took(time(steps, frame));
      return steps;
    });

  test("a wait of 100 ms that is the browser's, as in Firefox, does not count", () => {
    const polled = (steps: number) => 100 * Math.ceil((2 * steps) / 100);
    const steps = taken(new Pace(), 40, (n, frame) => (frame === 0 ? 3000 : polled(n))); // the first one compiles
    expect(Math.max(...steps)).toBeLessThan(130);
    expect(steps.slice(20).reduce((sum, n) => sum + n) / 20).toBeGreaterThan(20);
  });

  test("a slow device keeps to one step, but for a frame in 64", () => {
    const steps = taken(new Pace(), 130, (n) => 5 + 90 * n);
    expect(steps.filter((n) => n === 1).length).toBe(128);
    expect(Math.max(...steps)).toBe(2);
  });
});

test("a rate is over the last two seconds", () => {
  const rate = new Rate();
  expect(rate.perSecond).toBeUndefined();
  for (const [at, steps] of [
    [0, 0],
    [1000, 100],
    [2000, 110],
    [3000, 120],
  ] as const)
    rate.mark(at, steps);
  expect(rate.perSecond).toBeCloseTo(10, 10);
});

test("thinning keeps means, and the last step of each", () => {
  expect(thinned([1, 3, 5, 7, 10], 3)).toEqual([
    { step: 2, value: 2 },
    { step: 4, value: 6 },
    { step: 5, value: 10 },
  ]);
  expect(thinned([4, 5], 160).map(({ value }) => value)).toEqual([4, 5]);
});

test("a curve goes through its points, equal factors equally far on a logarithmic scale", () => {
  const points = [1, 10, 100].map((value, i) => ({ step: i + 1, value }));
  const ys = (log: boolean) =>
    [
      ...curve(points, { log, title: "x" })
        .match(/class="line" d="M([^"]*)"/)![1]!
        .split("L"),
    ].map((pair) => Number(pair.split(" ")[1]));
  const [a, b, c] = ys(true) as [number, number, number];
  expect(a - b).toBeGreaterThan(1);
  expect(Math.abs(a - b - (b - c))).toBeLessThan(0.11);
  expect(ys(false)[0]! - ys(false)[1]!).toBeLessThan(0.2 * (a - b + (b - c)));
  expect(curve([], { title: "Loss" })).toBe("<title>Loss: nothing yet</title>");
  expect(curve([{ step: 1, value: -1 }, ...points], { log: true, title: "x" })).not.toContain("NaN");
});

test("arrows agree within 30 degrees; points are near within a distance", () => {
  const turned = (degrees: number) => [
    Math.cos((degrees * Math.PI) / 180),
    Math.sin((degrees * Math.PI) / 180),
  ];
  const all = [...turned(29), ...turned(-29), ...turned(31), ...turned(180), 0, 0];
  expect(alignment(all, [5, 0, 5, 0, 5, 0, 5, 0, 5, 0])).toBe(0.5);
  expect(near([0, 0, 3, 4, 9, 9], [0.5, 0, 3, 3.2], 1)).toBeCloseTo(2 / 3, 12);
});
