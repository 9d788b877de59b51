import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { attention, cast, square, sum } from "../../engine/ops/index.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/attention.ts";
import { randn } from "../../engine/random.ts";
import {
  type AttentionWay,
  attentionGradWay,
  attentionGradWays,
  attentionWay,
  attentionWays,
  samplesAtOnce,
} from "../../kernels/attention-ways.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const int = (min: number, max: number) => fc.integer({ min, max });

/** Runs `fn` with one way for the forward and the backward pass. */
const by = <T>(way: AttentionWay, fn: () => T): T =>
  engine.choices.forcing("attention", way, () => engine.choices.forcing("attention_grad", way, fn));

/** Flash compiles channel counts in, and a driver takes a second for each: few are tried. */
const ways: readonly { name: string; way: AttentionWay; channels: readonly number[] }[] = [
  { name: "flash", way: { kernel: "flash" }, channels: [1, 5, 8] },
  {
    name: "products",
    way: { kernel: "products", slices: 1, vec: false },
    channels: [1, 3, 20, 64],
  },
  {
    name: "products, a query's keys shared",
    way: { kernel: "products", slices: 8, vec: false },
    channels: [1, 3, 20, 64],
  },
];
const exact =
  (scale: number | undefined) =>
  (q?: Array64, k?: Array64, v?: Array64): Array64 =>
    oracle.attention(q!, k!, v!, scale ?? 1 / Math.sqrt(q!.shape[1]!));
const queriesAndKeys = (n: number, c: number, t: number, s: number, seed: number) => [
  normal([n, c, t], seed),
  normal([n, c, s], seed + 1),
  normal([n, c, s], seed + 2),
];

describe.each(ways)("by $name", ({ way, channels }) => {
  const problems = fc.record({
    n: int(1, 3),
    c: fc.constantFrom(...channels),
    t: int(1, 19),
    s: int(1, 19),
    scale: fc.option(fc.constantFrom(0.25, 1.5, -0.5), { nil: undefined }),
    seed,
  });

  test("queries and keys of any number: value, first and second derivative", () =>
    check(
      problems,
      ({ n, c, t, s, scale, seed }) =>
        by(way, () =>
          checkOp({
            op: (q, k, v) => attention(q!, k!, v!, { scale }),
            oracle: exact(scale),
            inputs: queriesAndKeys(n, c, t, s, seed),
            seed,
            terms: c * s,
          }),
        ),
      10,
    ));

  test.each([
    [1, 1],
    [5, 100],
    [100, 17],
    [100, 100],
  ])("%d queries, %d keys", (t, s) =>
    by(way, () =>
      checkOp({
        op: (q, k, v) => attention(q!, k!, v!),
        oracle: exact(undefined),
        inputs: queriesAndKeys(2, channels.at(-1)!, t, s, 1),
        seed: 1,
        derivatives: 1,
        terms: channels.at(-1)! * s,
      }),
    ),
  );

  test("sharp weights: large products neither overflow nor lose the winner", async () => {
    const [q, k, v] = [1, 2, 3].map((i) => normal([2, 8, 21], i)) as [Array64, Array64, Array64];
    const large = map(q, (x) => Math.fround(40 * x));
    const y = by(way, () => attention(upload(large), upload(k), upload(v), { scale: 2 }));
    expectNear(await y.data(), oracle.attention(large, k, v, 2), { terms: 10 * 300 }); // weights err by exp's argument, some 300
    y.dispose();
  });

  test("one key: all queries get its value", async () => {
    const [q, k, v] = queriesAndKeys(1, 5, 7, 1, 1) as [Array64, Array64, Array64];
    const y = by(way, () => attention(upload(q), upload(k), upload(v)));
    const got = await y.data();
    for (const [i, value] of got.entries()) expect(value).toBeCloseTo(v.data[Math.floor(i / 7)]!, 6);
    y.dispose();
  });

  /** y and the gradients of the first sample of a batch. */
  const firstOf = async (n: number): Promise<number[][]> => {
    const shape = [n, 5, 12];
    const tensors = engine.scope(() => {
      const [q, k, v, dy] = [1, 2, 3, 4].map((seed) => randn(engine, shape, { seed, purpose: "user" }));
      const xs = [q!, k!, v!].map((x) => engine.asVariable(x));
      return by(way, () => {
        const y = attention(xs[0]!, xs[1]!, xs[2]!);
        const all = [y, ...grad(y, xs, { cotangent: dy! })];
        for (const x of xs) engine.track(x);
        return all;
      });
    });
    const values = await engine.readAll(tensors);
    for (const t of tensors) t.dispose();
    return values.map((a) => [...a].slice(0, 60));
  };

  test("a sample's numbers are the same in any batch, and each time", async () => {
    const alone = await firstOf(1);
    expect(await firstOf(1)).toEqual(alone);
    expect(await firstOf(70)).toEqual(alone);
  });
});

test.each([
  ["flash", "products"],
  ["products", "flash"],
] as const)("the forward pass by %s, the gradients by %s", (there, back) => {
  const { choices } = engine;
  const way = ways.find(({ name }) => name === there)!.way;
  return choices.forcing("attention", way, () =>
    choices.forcing("attention_grad", { kernel: back }, () =>
      checkOp({
        op: (q, k, v) => attention(q!, k!, v!),
        oracle: exact(undefined),
        inputs: queriesAndKeys(2, 5, 9, 11, 1),
        seed: 1,
        derivatives: 1,
        terms: 55,
      }),
    ),
  );
});

test("samples whose weights do not fit beside each other come in turns, to the same numbers", async () => {
  const [n, t] = [5, 12];
  const inputs = [1, 2, 3].map((seed) => engine.asVariable(upload(normal([n, 3, t], seed))));
  const both = async () => {
    const tensors = engine.scope(() => {
      const y = attention(inputs[0]!, inputs[1]!, inputs[2]!);
      return [y, ...grad(sum(square(y)), inputs)];
    });
    const values = (await engine.readAll(tensors)).map((a) => [...a]);
    for (const x of tensors) x.dispose();
    return values;
  };
  const atOnce = await both();
  const before = engine.memory().live;
  try {
    await choosingFor({ maxBinding: 2 * 4 * t * t }, async () => {
      expect(samplesAtOnce(engine.hardware, { t, s: t })).toBe(2);
      expect(await both()).toEqual(atOnce);
      expect(engine.memory().live).toBe(before);
    });
  } finally {
    for (const x of inputs) x.dispose();
  }
});

test.runIf(engine.device.features.has("shader-f16"))(
  "weights stay f32 where activations are stored as f16",
  async () => {
    const [q, k, v] = queriesAndKeys(2, 8, 21, 12, 1) as [Array64, Array64, Array64];
    const halved = [q, k, v].map((x) => map(x, (value) => Math.fround(Math.round(value * 64) / 64)));
    for (const { way } of ways) {
      const y = engine.scope(() =>
        by(way, () =>
          engine.autocast(() => {
            const [a, b, c] = halved.map((x) => cast(upload(x), "f16"));
            return attention(a!, b!, c!, { scale: 4 });
          }),
        ),
      );
      expect(y.dtype).toBe("f16");
      const expected = oracle.attention(halved[0]!, halved[1]!, halved[2]!, 4);
      const got = await y.data();
      for (const [i, value] of expected.data.entries())
        expect(Math.abs(got[i]! - value)).toBeLessThan(2 ** -11 * Math.abs(value) + 1e-4); // f16 rounds by 2^-11
      y.dispose();
    }
  },
);

describe("which way is taken", () => {
  const gpu = { ...engine.hardware, kind: "gpu", maxBinding: 2 ** 31 } as const;
  const cpu = { ...gpu, kind: "cpu" } as const;

  test("products where a sample's weights fit, else flash", () => {
    const small = { t: 256, s: 256 };
    expect(attentionWay(cpu, small)).toEqual({ kernel: "products", slices: 1, vec: true });
    expect(attentionWay(gpu, small)).toEqual({ kernel: "products", slices: 8, vec: false });
    const large = { t: 128 * 128, s: 128 * 128 };
    for (const hw of [cpu, gpu]) {
      expect(attentionWay(hw, large)).toEqual({ kernel: "flash" });
      expect(attentionWay({ ...hw, maxBinding: 4 * 256 * 256 - 4 }, small)).toEqual({ kernel: "flash" });
    }
  });

  test("worth measuring are those that fit, the heuristic's among them", () => {
    for (const hw of [cpu, gpu])
      for (const t of [1, 5, 256, 5000]) {
        const ways = attentionWays(hw, { channels: 128, t, s: t });
        expect(ways).toContainEqual(attentionWay(hw, { t, s: t }));
        expect(ways).toContainEqual({ kernel: "flash" });
        const kernels = [...new Set(ways.map(({ kernel }) => kernel))];
        expect(attentionGradWays(hw, { channels: 128, t, s: t }).map(({ kernel }) => kernel)).toEqual(
          kernels,
        );
        expect(attentionGradWay(hw, { t, s: t }).kernel).toBe(attentionWay(hw, { t, s: t }).kernel);
        const products = ways.filter((way) => way.kernel === "products");
        expect(products.every(({ vec }) => !vec || t % 4 === 0)).toBe(true);
        expect(products.length > 0).toBe(t < 5000);
      }
  });

  test("flash is left out where a GPU's thread cannot hold a position, if there is another way", () => {
    const flash = { kernel: "flash" };
    expect(attentionWays(gpu, { channels: 256, t: 64, s: 64 })).not.toContainEqual(flash);
    expect(attentionWays(cpu, { channels: 256, t: 64, s: 64 })).toContainEqual(flash);
    expect(attentionWays(gpu, { channels: 256, t: 5000, s: 5000 })).toEqual([flash]);
  });
});

describe("messages", () => {
  const q = engine.ones([2, 4, 3]);

  test("a dtype other than f32, in any place", () => {
    const labels = engine.ones([2, 4, 3], "i32");
    expect(() => attention(labels, q, q)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: attention: got dtype i32, expected f32]`,
    );
    expect(() => attention(q, labels, q)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: attention: got dtype i32, expected f32]`,
    );
    expect(() => attention(q, q, labels)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: attention: got dtype i32, expected f32]`,
    );
  });
  test("the scale", () => {
    expect(() => attention(q, q, q, { scale: Number.NaN })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: attention: got scale NaN, expected a finite number]`,
    );
  });
  test("shapes", () => {
    expect(() => attention(q, engine.ones([2, 5, 3]), q)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: attention: got [2,4,3], [2,5,3], [2,4,3], expected q [n,c,t], k and v [n,c,s]]`,
    );
    expect(() =>
      attention(q, engine.ones([2, 4, 6]), engine.ones([2, 4, 7])),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: attention: got [2,4,3], [2,4,6], [2,4,7], expected q [n,c,t], k and v [n,c,s]]`,
    );
    expect(() => attention(engine.ones([4, 3]), q, q)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: attention: got [4,3], [2,4,3], [2,4,3], expected q [n,c,t], k and v [n,c,s]]`,
    );
  });
});
