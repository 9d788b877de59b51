import { describe, expect, test } from "vitest";
import { metropolis } from "../../engine/metropolis.ts";
import { accumulate as mathematics } from "../../engine/oracle/accumulate.ts";
import { Scalar } from "../../engine/scalar.ts";
import { linearUpdate, accumulate as sumUp, exchange as swap } from "../../engine/updates.ts";
import { accumulate } from "../../kernels/accumulate.ts";
import { exchange } from "../../kernels/exchange.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const COUNT = 4109; // no multiple of a vec4, of four, or of a workgroup
const [first, second] = [normal([COUNT], 1), normal([COUNT], 2)];

test.each(accumulate.variants)("accumulate, $vecs vec4s a thread", async (variant) => {
  const [sum, x] = [upload(first), upload(second)];
  const launch = (begin: number) =>
    engine.launch(accumulate, variant, { x, sum }, { count: COUNT, share: 0.375, begin });
  launch(0);
  const added = mathematics(first, second, 0.375, false);
  expectNear(await sum.data(), added);
  launch(1);
  expectNear(await sum.data(), mathematics(added, second, 0.375, true));
  for (const t of [sum, x]) t.dispose();
});

test("a sum that is begun forgets what stood there, be it NaN", async () => {
  const sum = engine.full([COUNT], Number.NaN);
  const parts = [1, 2, 3, 4].map((seed) => normal([COUNT], seed));
  const begin = new Scalar(1);
  let expected = parts[0]!;
  for (const [i, part] of parts.entries()) {
    const x = upload(part);
    begin.value = i === 0 ? 1 : 0;
    sumUp(sum, x, { share: 1 / 4, begin });
    expected = mathematics(expected, part, 1 / 4, i === 0);
    x.dispose();
  }
  expectNear(await sum.data(), expected);
  sum.dispose();
});

test.each(exchange.variants)("exchange, $vecs vec4s a thread, keeps every bit", async (variant) => {
  const words = (seed: number) =>
    Float32Array.from(normal([COUNT], seed).data, (v, i) => [v, -0, 1e-42, Infinity][i % 4]!);
  const [ours, theirs] = [words(1), words(2)];
  const [a, b] = [engine.tensor(ours), engine.tensor(theirs)];
  engine.launch(exchange, variant, { a, b }, { count: COUNT });
  const [left, right] = await engine.readAll([a, b]);
  expect(new Uint32Array(left!.buffer)).toEqual(new Uint32Array(theirs.buffer));
  expect(new Uint32Array(right!.buffer)).toEqual(new Uint32Array(ours.buffer));
  for (const t of [a, b]) t.dispose();
});

describe("one tensor in two places", () => {
  const shared = (n: number) => {
    const x = upload(normal([n], 1));
    return { x, view: x.alias() };
  };

  test("of a kernel that writes there is refused by name, views included", () => {
    const { x, view } = shared(4);
    expect(() => sumUp(x, view, { share: 1, begin: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: accumulate: got sum and x in the same memory, expected two tensors; copy one of them before]`,
    );
    const draw = { seed: 1, purpose: "sampler" } as const;
    const one = engine.ones([1]);
    const coefficients = { keep: 1, pull: 1, noise: 1, unit: one };
    expect(() => linearUpdate(one, engine.ones([1]), coefficients, draw)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: linearUpdate: got x and unit in the same memory, expected two tensors; copy one of them before]`,
    );
    expect(() => metropolis(x, view, engine.ones([4]), { seed: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: metropolis: got x and y in the same memory, expected two tensors; copy one of them before]`,
    );
    for (const t of [x, view, one]) t.dispose();
  });

  test("of an exchange or a copy changes nothing", async () => {
    const { x, view } = shared(COUNT);
    swap(x, view);
    engine.copy(x, view);
    expect(await x.data()).toEqual(Float32Array.from(first.data));
    await engine.sync(); // nor has the device anything to say
    for (const t of [x, view]) t.dispose();
  });

  test("of an update is its own score", async () => {
    const { x, view } = shared(COUNT);
    linearUpdate(x, view, { keep: 1, pull: 0.5, noise: 0 }, undefined);
    expectNear(await x.data(), { shape: [COUNT], data: first.data.map((v) => 1.5 * v) });
    for (const t of [x, view]) t.dispose();
  });
});

test("other shapes are refused by name", () => {
  const [a, b] = [engine.zeros([2, 3]), engine.zeros([3, 2])];
  expect(() => sumUp(a, b, { share: 1, begin: 1 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: accumulate: got sum [2,3], x [3,2], expected one shape]`,
  );
  expect(() => swap(a, b)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: exchange: got a [2,3], b [3,2], expected one shape]`,
  );
  for (const t of [a, b]) t.dispose();
});
