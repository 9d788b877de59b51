/** Measuring from end to end: checks, rounds, clocks, stopping, and what is written of it. */
import { afterAll, describe, expect, test } from "vitest";
import { selected } from "../../bench/cases.ts";
import { near } from "../../bench/checks.ts";
import { type Case, measure, type Progress, progressLine } from "../../bench/harness.ts";
import { browserHost } from "../../bench/host.ts";
import { htmlReport } from "../../bench/html/report.ts";
import { drawn, kept, release } from "../../bench/inputs.ts";
import { nodeHost } from "../../bench/node-host.ts";
import { parseLines } from "../../bench/parse-record.ts";
import { describeRun, linesOf, textOf } from "../../bench/record.ts";
import { roofline } from "../../bench/roofline.bench.ts";
import { ofKind } from "../../bench/schema.ts";
import { add, square } from "../../engine/ops/index.ts";
import { profile } from "../../engine/profiler.ts";
import { elapsed, Stopwatch } from "../../engine/stopwatch.ts";
import { range } from "../../kernels/kernel.ts";
import { multiplyAdd } from "../../kernels/roofline.ts";
import { engine } from "../support/engine.ts";

const timestamps = engine.device.features.has("timestamp-query");

const sum: Case = {
  name: "a sum",
  group: "binary",
  shape: "4096",
  bound: "memory",
  bytes: 12 * 4096,
  flops: 4096,
  run: (e) => void add(drawn(e, [4096], 1), drawn(e, [4096], 2)),
  check: async (e) => {
    const [x, y] = [await drawn(e, [64], 1).data(), await drawn(e, [64], 2).data()];
    return near(
      "sum",
      e.scope(() => add(drawn(e, [64], 1), drawn(e, [64], 2))),
      x.map((v, i) => v + y[i]!),
    );
  },
};
test("every case has a name of its own: runs are compared by it", () => {
  const names = selected(engine).map((c) => c.name);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});

const squares: Case = {
  ...sum,
  name: "squares",
  group: "unary",
  run: (e) => void square(drawn(e, [4096], 1)),
};
const wrong: Case = {
  ...sum,
  name: "a wrong sum",
  check: async (e) =>
    near(
      "sum",
      e.scope(() => square(drawn(e, [2], 1))),
      [1e3, 1e3],
    ),
};
const host = nodeHost();

afterAll(() => release(engine));

describe("a run of the roofline and three cases", async () => {
  const progress: Progress[] = [];
  const cases = [...roofline(engine), sum, squares, wrong];
  const load = host.watchLoad()!;
  const measured = await measure(engine, cases, {
    rounds: 1,
    warmUps: 1,
    host,
    onProgress: (p) => progress.push(p),
  });
  const run = describeRun(engine, host, { load: load(), timestampStep: measured.timestampStep });
  const lines = linesOf(run, measured, [{ name: "huge", reason: "too large" }]);

  test("times what is right and names what is wrong", () => {
    expect(measured.timings.map((t) => t.case.name).slice(3)).toEqual(["a sum", "squares"]);
    expect(measured.faults).toEqual([{ case: wrong, what: expect.stringMatching(/^sum: error 1\.0e\+0$/) }]);
  });

  test("has every kind of line, each as the schema says", () => {
    expect(parseLines(textOf(lines), "a run")).toEqual(lines);
    const kinds = [...new Set(lines.map((l) => l.kind))];
    expect(kinds).toEqual(["run", "roofs", "target", "case", "fault", "left-out"]);
  });

  test("holds cases against roofs measured beside them", () => {
    const [roofs] = ofKind(lines, "roofs");
    const found = new Map(ofKind(lines, "case").map((c) => [c.name, c]));
    expect(found.get("roofline copy")!.ofRoofline).toBeCloseTo(1, 9);
    expect(found.get("roofline multiply-add")!.ofRoofline).toBeCloseTo(1, 9);
    const own = found.get("a sum")!;
    const ms = own.by === "median" ? own.wall.median : own[own.by]!.median;
    expect(own.intensity).toBeCloseTo(1 / 12, 12);
    expect(own.gigabytesPerSecond).toBeCloseTo((12 * 4096) / ms / 1e6, 9);
    expect(roofs!.by).toBe(own.by);
    const copied = own.gigabytesPerSecond! / roofs!.gigabytesPerSecond;
    const launched = roofs!.dispatchMicroseconds! / 1e3 / ms;
    expect(own.limit).toBe(copied > launched ? "memory" : "dispatch");
    expect(own.ofRoofline).toBeCloseTo(Math.max(copied, launched), 9);
  });

  test("holds empty dispatches against themselves, by the wall clock, and knows their other times", () => {
    const empty = ofKind(lines, "case").find((c) => c.name === "roofline dispatch")!;
    expect(empty.by).toBe("median");
    expect(empty.ofRoofline).toBeCloseTo(1, 9);
    const { driver } = engine;
    if (driver.software && host.threadsTime() !== undefined) expect(empty.alone!.median).toBeGreaterThan(0);
  });

  test("the device's clock ran within the host's", () => {
    for (const { gpu, wall } of measured.timings) {
      expect(gpu !== undefined).toBe(timestamps);
      if (!gpu) continue;
      expect(gpu.median).toBeGreaterThan(0);
      expect(gpu.median).toBeLessThanOrEqual(wall.median);
    }
  });

  test("tells how far it is", () => {
    expect(progress.map((p) => `${p.phase} ${p.turn}/${p.turns}`)).toEqual([
      ...cases.map((_, i) => `check ${i + 1}/6`),
      ...Array(5).fill("warm-up 1/1"),
      ...Array(5).fill("round 1/1"),
    ]);
    expect(progress.at(-1)!.left).toBeGreaterThan(0);
    expect(progressLine({ phase: "round", turn: 1, turns: 9, name: "conv", left: 1234 })).toBe(
      "round 1/9: conv, 1.2 s left",
    );
  });

  test("becomes a page", () => {
    const page = htmlReport(lines);
    expect(page).toContain(`<dt>cases timed</dt><dd>2</dd>`);
    expect(page).toContain("a wrong sum");
  });
});

test("stopped in a round, what has been timed stands", async () => {
  const stop = new AbortController();
  const rounds: number[] = [];
  const { timings } = await measure(engine, [sum, squares], {
    rounds: 50,
    warmUps: 0,
    host: browserHost(),
    signal: stop.signal,
    onRound: (soFar) => {
      rounds.push(soFar.timings[0]!.rounds);
      if (rounds.length === 2) stop.abort();
    },
  });
  expect(rounds).toEqual([1, 2]);
  expect(timings.map((t) => t.rounds)).toEqual([2, 2]);
  expect(timings.every((t) => t.alone === undefined)).toBe(true); // a browser's host has no processor time
});

test("stopped before anything was timed, nothing stands", async () => {
  const measured = await measure(engine, [sum], { rounds: 1, host, signal: AbortSignal.abort() });
  expect(measured.timings).toEqual([]);
});

test("short work is repeated within a round, and its times are of one", async () => {
  let runs = 0;
  const counted: Case = {
    ...sum,
    check: undefined,
    run(e) {
      runs++;
      sum.run(e);
    },
  };
  const options = { rounds: 2, warmUps: 1, host };
  const once = await measure(engine, [counted], { ...options, least: 0 });
  expect(runs).toBe(1 + 3);
  runs = 0;
  const often = await measure(engine, [counted], { ...options, least: 1e6 });
  expect(runs).toBe(1 + 1 + 2 * 100); // the first compiles, the warm-up tells how long one takes
  expect(often.timings[0]!.wall.best).toBeLessThan(100 * once.timings[0]!.wall.median);
});

test("repeats of a copy are not joined into one kernel, however often they are met", async () => {
  const [x, y] = [1, 2].map((seed) => drawn(engine, [4096], seed));
  let runs = 0;
  const copies: Case = {
    ...sum,
    check: undefined,
    run(e) {
      runs++;
      e.copy(x!, y!);
    },
  };
  engine.stream.flush();
  const before = engine.stream.dispatches;
  await measure(engine, [copies], { rounds: 8, warmUps: 1, host, least: 1e6 });
  expect(engine.stream.dispatches - before).toBe(runs);
});

test.runIf(timestamps)(
  "what is elapsed is by the device's clock with a stopwatch, by the host's without",
  async () => {
    let now = 0;
    const clock = () => (now += 1e6);
    const run = () => engine.scope(() => void add(engine.ones([4096]), 1));
    expect(await elapsed(engine, run, { clock })).toBe(1e6);
    const stopwatch = new Stopwatch(engine.device);
    const ms = await elapsed(engine, run, { clock, stopwatch });
    stopwatch.destroy();
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThan(1e5);
    expect(engine.stream.stopwatch).toBeUndefined();
  },
);

test.runIf(timestamps)("the stopwatch counts passes, and more for more work", async () => {
  const y = kept(engine, "stopwatch target", () => engine.untrack(engine.zeros([4096])));
  const work = (rounds: number) => {
    engine.launch(multiplyAdd, {}, { y }, { threads: 4096, rounds, a: 1e-8 });
    engine.stream.flush();
  };
  work(1); // compiles
  await engine.sync();
  const stopwatch = new Stopwatch(engine.device);
  try {
    engine.stream.stopwatch = stopwatch;
    const pairs = range(5); // the least of each, for whatever else the machine does may fall into any
    for (const _ of pairs) for (const rounds of [1, 1024]) work(rounds);
    engine.stream.stopwatch = undefined;
    await engine.sync();
    const times = (await stopwatch.read())!;
    expect(times).toHaveLength(2 * pairs.length);
    const least = (first: number) => Math.min(...pairs.map((k) => times[2 * k + first]!));
    expect(least(1)).toBeGreaterThan(8 * least(0));
    expect(await stopwatch.read()).toHaveLength(0);
    expect(stopwatch.step).toBeGreaterThan(0);
  } finally {
    engine.stream.stopwatch = undefined;
    stopwatch.destroy();
  }
});

test("a profile by processor time deals out what the driver's threads spent, kernel by kernel", async () => {
  const capture = engine.capture(() => {
    const x = drawn(engine, [4096], 1);
    engine.launch(multiplyAdd, {}, { y: engine.empty([4096]) }, { threads: 4096, rounds: 512, a: 1e-8 });
    return add(square(x), add(x, x));
  });
  // A clock of its own, which advances by 3 ms whenever it is read: a kernel's dispatches then take 3 ms together.
  let now = 0;
  const { clock, rows, ms } = await profile(engine, capture, { repeats: 1, processorTime: () => (now += 3) });
  capture.dispose();
  if (!engine.driver.software) return expect(clock).not.toBe("processor time");
  expect(clock).toBe("processor time");
  expect(rows.reduce((sum, r) => sum + r.calls, 0)).toBe(capture.commands.length);
  expect(rows.map((r) => r.ms)).toEqual(rows.map(() => expect.closeTo(3, 9)));
  expect(ms).toBeCloseTo(3 * rows.length, 9);
});

test("what the cases kept can be given back", () => {
  release(engine);
  const before = engine.memory().live;
  engine.scope(() => sum.run(engine));
  expect(engine.memory().live).toBeGreaterThan(before);
  release(engine);
  expect(engine.memory().live).toBe(before);
});
