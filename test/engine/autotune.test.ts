/** Ways to compute are measured once, kept for the adapter, and only looked up from then on. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { tune } from "../../engine/autotune.ts";
import { autotuneMode, bucket, Choices, chosen, type Tunable, wayName } from "../../engine/choices.ts";
import { Engine } from "../../engine/engine.ts";
import { conv2d, instanceNorm, matmul, mul, softmax, sum } from "../../engine/ops/index.ts";
import { cache } from "../../engine/platform/node-cache.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { fileName, readTuning, tunedFor, writeTuning } from "../../engine/tuning-file.ts";
import { version } from "../../engine/version.ts";
import { choosingFor, engine } from "../support/engine.ts";

const folder = mkdtempSync(join(tmpdir(), "stein-tuning-"));
const before = process.env["STEIN_CACHE_DIR"];
process.env["STEIN_CACHE_DIR"] = folder;
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  if (before === undefined) delete process.env["STEIN_CACHE_DIR"];
  else process.env["STEIN_CACHE_DIR"] = before;
});
beforeEach(() => {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
});

interface Toy {
  readonly size: number;
  readonly batch: number;
}
type ToyWay = { times: number; wrong: boolean };
const ways: ToyWay[] = [
  { times: 1, wrong: false },
  { times: 1, wrong: true },
];

/** y = 3 x; the heuristic does it 400 times over, another way is wrong, a third throws. */
const toy: Tunable<Toy, ToyWay> = {
  family: "toy",
  classOf: ({ size }) => `${size}`,
  heuristic: () => ({ times: 400, wrong: false }),
  ways: () => [...ways, { times: 0, wrong: true }],
  run: (_engine, [x], _, { times, wrong }) => {
    if (times === 0) throw new RangeError("no such way");
    let y = mul(x!, 3);
    for (let i = 1; i < times; i++) {
      y.dispose();
      y = mul(x!, wrong ? 2 : 3);
    }
    return wrong ? mul(y, 2) : y;
  },
};

const normal = (shape: number[]): Tensor => randn(engine, shape, { seed: 3, purpose: "user" });
const triple = (batch: number, size = 64) => chosen(engine, toy, [normal([batch, size])], { size, batch });

/** The engine's own context, with choices of a test's own. */
function contextOf(mode: "off" | "cached" | "on", known = new Map<string, string>()) {
  const choices = new Choices(mode, known);
  const { choices: own } = engine;
  const context = {
    choices,
    cache,
    tunedFor: tunedFor(engine.device, engine.driver),
    compile: (fn: () => unknown) => engine.prepare(fn),
  };
  Object.assign(engine, { choices });
  return { ...context, restore: () => Object.assign(engine, { choices: own }) };
}

test("an engine of the tests is off: its ways are the heuristics'", () => {
  expect(engine.choices.mode).toBe("off");
  expect(engine.choose(toy, { size: 64, batch: 1 }, [])).toEqual({ times: 400, wrong: false });
});

describe("tuning", () => {
  test("takes the fastest right way, and strikes wrong and failing ones out", async () => {
    const context = contextOf("cached");
    try {
      const { met, tuned, place } = await tune(engine, () => [triple(2), triple(5)], context);
      expect(met).toBe(1); // one class, whatever the batch
      expect(tuned).toHaveLength(1);
      const { key, shapes, heuristic, chosen, trials } = tuned[0]!;
      expect(key).toBe("toy 64");
      expect(shapes).toBe("[2,64]");
      expect(heuristic.way).toBe(wayName({ times: 400, wrong: false }));
      expect(chosen.way).toBe(wayName(ways[0]!));
      expect(chosen.ms).toBeLessThan(heuristic.ms);
      expect(trials.map(({ way, fault }) => [way, fault])).toEqual([
        [heuristic.way, undefined],
        [chosen.way, undefined],
        [wayName(ways[1]!), expect.stringMatching(/^off by 1\.0e\+0 of the largest value$/)],
        [wayName({ times: 0, wrong: true }), "no such way"],
      ]);
      expect(engine.choose(toy, { size: 64, batch: 9 }, [normal([9, 64])])).toEqual(ways[0]);
      expect(place).toBe(join(folder, fileName(context.tunedFor)));
      expect(readTuning(readFileSync(place!, "utf8"), context.tunedFor)).toEqual(
        new Map([["toy 64", wayName(ways[0]!)]]),
      );
    } finally {
      context.restore();
    }
  });

  test("measures nothing twice, and what another process kept meanwhile holds", async () => {
    const first = contextOf("cached", new Map([["toy 64", wayName(ways[0]!)]]));
    try {
      expect(await tune(engine, () => triple(2), first)).toEqual({ met: 1, tuned: [], place: undefined });
    } finally {
      first.restore();
    }
    const second = contextOf("cached");
    const other = new Map([["toy 64", wayName({ times: 400, wrong: false })]]);
    await cache.update(fileName(second.tunedFor), () => writeTuning(other, second.tunedFor));
    try {
      await tune(engine, () => triple(2), second);
      expect(second.choices.known).toEqual(other);
      expect(engine.choose(toy, { size: 64, batch: 2 }, [])).toEqual({ times: 400, wrong: false });
    } finally {
      second.restore();
    }
  });

  test("ends early when told, and keeps what was measured", async () => {
    const context = contextOf("cached");
    const told: number[][] = [];
    try {
      const { met, tuned } = await tune(engine, () => [triple(2, 8), triple(2, 16)], context, {
        budget: 1,
        enough: () => context.choices.known.size > 0,
        onProgress: (done, total) => told.push([done, total]),
      });
      expect([met, tuned.map(({ key }) => key)]).toEqual([2, ["toy 8"]]);
      expect([...context.choices.known.keys()]).toEqual(["toy 8"]);
      expect(told).toEqual([[0, 2]]);
    } finally {
      context.restore();
    }
  });

  test("to compare, measures anew and keeps nothing", async () => {
    const known = new Map([["toy 64", wayName({ times: 400, wrong: false })]]);
    const context = contextOf("cached", known);
    try {
      const { tuned, place } = await tune(engine, () => triple(2), context, { compare: true });
      expect(tuned.map(({ chosen }) => chosen.way)).toEqual([wayName(ways[0]!)]);
      expect(place).toBeUndefined();
      expect(context.choices.known).toEqual(known);
      expect(readdirSync(folder)).toEqual([]);
    } finally {
      context.restore();
    }
  });

  test("keeps each choice as it is made: one that fails later loses none of those before", async () => {
    const context = contextOf("cached");
    const unsound: typeof toy = {
      ...toy,
      family: "unsound",
      run: () => {
        throw new RangeError("no way");
      },
    };
    try {
      const step = () => {
        triple(2);
        engine.choose(unsound, { size: 8, batch: 1 }, []);
        triple(2, 32);
      };
      await expect(tune(engine, step, context, { budget: 1 })).rejects.toThrow(
        "tune: unsound 8: the usual way fails: no way",
      );
      const kept = readTuning(await cache.read(fileName(context.tunedFor)), context.tunedFor);
      expect(kept).toEqual(new Map([["toy 64", wayName(ways[0]!)]]));
      expect(engine.choose(toy, { size: 64, batch: 9 }, [])).toEqual(ways[0]);
    } finally {
      context.restore();
    }
  });

  test("leaves alone what another process kept while it measured", async () => {
    const context = contextOf("cached");
    const theirs = wayName({ times: 400, wrong: false });
    const step = () => [triple(2), triple(2, 32)];
    const others = () =>
      cache.update(fileName(context.tunedFor), () =>
        writeTuning(
          new Map([
            ["toy 32", theirs],
            ["toy 99", theirs],
          ]),
          context.tunedFor,
        ),
      );
    try {
      let during: Promise<void> | undefined;
      const onProgress = () => void (during ??= others());
      const { met, tuned } = await tune(engine, step, context, { budget: 1, onProgress });
      await during;
      expect([met, tuned.map(({ key }) => key)]).toEqual([2, ["toy 64"]]);
      const kept = readTuning(await cache.read(fileName(context.tunedFor)), context.tunedFor);
      expect(Object.fromEntries(kept)).toEqual({
        "toy 32": theirs,
        "toy 64": wayName(ways[0]!),
        "toy 99": theirs,
      });
    } finally {
      context.restore();
    }
  });

  test("gives all memory back", async () => {
    const context = contextOf("cached");
    try {
      const { live } = engine.memory();
      await tune(engine, () => triple(2), context);
      expect(engine.memory().live).toBe(live);
    } finally {
      context.restore();
    }
  });

  test("is refused with autotune off", async () => {
    await expect(engine.tune(() => triple(1))).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tune: got an engine with autotune off, expected "cached" or "on"; create it so]`,
    );
  });
});

test("a way that is no longer among a tunable's counts as unknown", () => {
  const context = contextOf("cached", new Map([["toy 64", '{"times":7,"wrong":false}']]));
  try {
    expect(engine.choose(toy, { size: 64, batch: 1 }, [])).toEqual({ times: 400, wrong: false });
  } finally {
    context.restore();
  }
});

test("a heuristic decides for each problem, not for a class: batch 1 not for batch 64", () => {
  const byBatch: typeof toy = {
    ...toy,
    family: "by_batch",
    heuristic: (_, { batch }) => ({ times: batch, wrong: false }),
  };
  const context = contextOf("cached");
  const times = (batch: number) => engine.choose(byBatch, { size: 8, batch }, []).times;
  try {
    expect([1, 64, 1].map(times)).toEqual([1, 64, 1]);
    context.choices.keep("by_batch 8", wayName(ways[0]!));
    expect([64, 1].map(times)).toEqual([1, 1]); // but what was measured decides for all
  } finally {
    context.restore();
  }
});

test("one way can be forced on a family, for a while", () => {
  const way = { times: 2, wrong: true };
  const chosen = () => engine.choose(toy, { size: 64, batch: 1 }, []);
  expect(engine.choices.forcing("toy", way, chosen)).toEqual(way);
  expect(chosen()).toEqual({ times: 400, wrong: false });
});

test("classes: what rounds by its way knows no batch, what does not knows its power of two", () => {
  const context = contextOf("cached");
  try {
    const keys = (n: number) =>
      choosingFor({ kind: "cpu", subgroups: false }, () =>
        context.choices
          .metIn(() =>
            engine.dry(() => {
              const x = normal([n, 4, 6, 6]);
              conv2d(x, normal([8, 4, 3, 3]), undefined, { padding: 1 });
              instanceNorm(x);
              softmax(normal([n, 12]));
              sum(normal([n, 12]), { axis: 1 });
              matmul(normal([n, 12]), normal([12, 5]));
            }),
          )
          .map(({ key }) => key),
      );
    expect(keys(3)).toMatchInlineSnapshot(`
      [
        "conv2d 4->8 3x3 to 6x6 stride 1,1 dilation 1,1",
        "norm groups of 1x36",
        "norm_moments rows of 36",
        "norm_apply 16 rows of 36",
        "softmax rows of 12",
        "reduce sum of 12x1 in 1",
        "matmul 1 4x12 12x5",
      ]
    `);
    const [three, five] = [keys(3), keys(5)];
    expect(five.filter((key) => !three.includes(key))).toEqual([
      "norm_apply 32 rows of 36",
      "matmul 1 8x12 12x5",
    ]);
  } finally {
    context.restore();
  }
});

test("every way of the heavy ops is right on this adapter, of a small GPU's too", async () => {
  const context = contextOf("cached");
  try {
    for (const kind of ["cpu", "gpu"] as const) {
      const step = () => {
        const [x, w] = [normal([2, 9, 9, 10]), normal([12, 9, 3, 3])];
        conv2d(x, w, normal([12]), { padding: 1 });
        softmax(normal([3, 68]));
        sum(normal([3, 260]), { axis: 1 });
        matmul(normal([2, 18, 20]), normal([20, 70]));
        instanceNorm(x);
      };
      const { tuned } = await choosingFor({ kind, maxWorkgroupStorage: 5_000 }, () =>
        tune(engine, step, context, { compare: true, budget: 1 }),
      );
      expect(tuned.length).toBeGreaterThan(4);
      for (const { key, trials } of tuned)
        for (const { way, fault } of trials) expect(fault, `${key}: ${way}`).toBeUndefined();
    }
  } finally {
    context.restore();
  }
});

describe("the file", () => {
  const of = tunedFor(engine.device, engine.driver);
  const known = new Map([
    ["b", '{"rows":8}'],
    ["a", '{"by":"group","vec":false}'],
  ]);

  test("comes back as it went, sorted", () => {
    const text = writeTuning(known, of);
    expect(readTuning(text, of)).toEqual(known);
    expect(text.indexOf('"a"')).toBeLessThan(text.indexOf('"b"'));
  });

  test("of another adapter, driver, feature set, limit or version is another file, and is not read", () => {
    const text = writeTuning(known, of);
    for (const other of [
      { ...of, stein: "0.0.1" },
      { ...of, driver: { ...of.driver, description: "another driver" } },
      { ...of, features: [] },
      { ...of, limits: { ...of.limits, maxComputeWorkgroupStorageSize: 1 } },
    ]) {
      expect(fileName(other)).not.toBe(fileName(of));
      expect(readTuning(text, other)).toEqual(new Map());
    }
  });

  test("damaged, or with choices that are none, is as if it were not there", () => {
    const text = writeTuning(known, of);
    for (const bad of [
      undefined,
      "",
      text.slice(0, -9),
      "null",
      JSON.stringify({ tunedFor: of, choices: 3 }),
    ])
      expect(readTuning(bad, of)).toEqual(new Map());
    expect(readTuning(JSON.stringify({ tunedFor: of, choices: { a: "x", b: null } }), of)).toEqual(new Map());
  });

  test("is replaced as a whole; where it cannot be written, one line says so", async () => {
    await cache.update("x.json", (text) => `${text} one`);
    await cache.update("x.json", (text) => `${text} two`);
    expect(readdirSync(folder)).toEqual(["x.json"]);
    expect(await cache.read("x.json")).toBe("undefined one two");
    writeFileSync(join(folder, "file"), "");
    process.env["STEIN_CACHE_DIR"] = join(folder, "file");
    try {
      await expect(cache.update("x.json", () => "three")).rejects.toThrow(
        /^cache: cannot write .*x\.json \(.*\), expected a writable folder; set STEIN_CACHE_DIR to one$/,
      );
    } finally {
      process.env["STEIN_CACHE_DIR"] = folder;
    }
  });
});

test("modes: an option goes before the variable, the variable before cached", () => {
  expect(autotuneMode("on")).toBe("on");
  expect(autotuneMode(undefined)).toBe("off"); // as the tests' configuration sets it
  expect(() => autotuneMode("fast" as never)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: autotune: got fast, expected off, cached, on]`,
  );
  const variable = process.env["STEIN_AUTOTUNE"];
  try {
    process.env["STEIN_AUTOTUNE"] = "maybe";
    expect(() => autotuneMode(undefined)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: STEIN_AUTOTUNE: got maybe, expected off, cached, on]`,
    );
    delete process.env["STEIN_AUTOTUNE"];
    expect(autotuneMode(undefined)).toBe("cached");
  } finally {
    process.env["STEIN_AUTOTUNE"] = variable;
  }
});

test("an engine with autotune on measures in prepare, and a second one knows", async () => {
  const first = await Engine.create({ autotune: "on", quiet: true });
  const step = (engine: Engine) => () =>
    engine.scope(() => void softmax(randn(engine, [3, 8], { seed: 1, purpose: "user" })));
  await first.prepare(step(first));
  expect([...first.choices.known.keys()]).toEqual(["softmax rows of 8"]);
  first.destroy();
  const second = await Engine.create({ autotune: "cached", quiet: true });
  expect(second.choices.known).toEqual(first.choices.known);
  second.destroy();
});

test("counts in classes of powers of two", () => {
  expect([1, 2, 3, 4, 5, 1000].map(bucket)).toEqual([1, 2, 4, 4, 8, 1024]);
});

test("choices are kept under the package's version", () => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  expect(version).toBe(manifest.version);
});
