import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attention } from "../../engine/ops/attention.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/attention.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const int = (min: number, max: number) => fc.integer({ min, max });

/** Channel counts are compiled in, and a driver takes a second for each: few are tried. */
const problems = fc.record({
  n: int(1, 3),
  c: fc.constantFrom(1, 5, 8),
  t: int(1, 19),
  s: int(1, 19),
  scale: fc.option(fc.constantFrom(0.25, 1.5), { nil: undefined }),
  seed,
});

test("queries and keys of any number: value, first and second derivative", () =>
  check(
    problems,
    async ({ n, c, t, s, scale, seed }) => {
      const inputs = [normal([n, c, t], seed), normal([n, c, s], seed + 1), normal([n, c, s], seed + 2)];
      await checkOp({
        op: (q, k, v) => attention(q!, k!, v!, { scale }),
        oracle: (q, k, v) => oracle.attention(q!, k!, v!, scale ?? 1 / Math.sqrt(c)),
        inputs,
        seed,
        terms: c * s,
      });
    },
    15,
  ));

test("sharp weights: large products neither overflow nor lose the winner", async () => {
  const [q, k, v] = [1, 2, 3].map((i) => normal([2, 8, 21], i)) as [Array64, Array64, Array64];
  const large = map(q, (x) => Math.fround(40 * x));
  const y = attention(upload(large), upload(k), upload(v), { scale: 2 });
  expectNear(await y.data(), oracle.attention(large, k, v, 2), { terms: 10 * 300 }); // weights err by exp's argument, some 300
  y.dispose();
});

test("one key: all queries get its value", async () => {
  const [q, k, v] = [normal([1, 5, 7], 1), normal([1, 5, 1], 2), normal([1, 5, 1], 3)];
  const y = attention(upload(q), upload(k), upload(v));
  const got = await y.data();
  for (const [i, value] of got.entries()) expect(value).toBeCloseTo(v.data[Math.floor(i / 7)]!, 6);
  y.dispose();
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
