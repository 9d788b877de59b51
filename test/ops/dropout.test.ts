import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { dropout, mul, square, sum } from "../../engine/ops/index.ts";
import * as oracle from "../../engine/oracle/dropout.ts";
import { type Draw, drawNumbers, purposes } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { dropout as kernel } from "../../kernels/dropout.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear, zScore } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const draw: Draw = { seed: 2 ** 40 + 3, purpose: "dropout", step: 5, sampleOffset: 2, site: 3 };
/** The same draw as the oracle writes it. */
const attrs = { seed: [3, 2 ** 8] as const, step: 5, purpose: purposes.dropout + 3 * 256, sampleOffset: 2 };
const shapes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 0, maxLength: 4 });

async function masked(shape: Shape, rate: number, spec: Draw): Promise<number[]> {
  const y = engine.scope(() => dropout(engine.ones(shape), rate, spec));
  const values = [...(await y.data())];
  y.dispose();
  return values;
}

test("value, first and second derivative of any shape", () =>
  check(
    fc.record({ shape: shapes, rate: fc.constantFrom(0.1, 0.5, 0.9), seed }),
    ({ shape, rate, seed }) =>
      checkOp({
        op: (x) => dropout(x, rate, draw),
        oracle: (x) => oracle.dropout(x, { rate, ...attrs }),
        inputs: [normal(shape, seed)],
        seed,
      }),
    12,
  ));

test.each(kernel.variants)("by runs of $run blocks, whole ones only: $vec", async (variant) => {
  const x = normal(variant.vec ? [5, 12] : [5, 13], 1);
  const t = { x: upload(x), y: engine.empty(x.shape) };
  engine.launch(kernel, variant, t, { ...drawNumbers(x.shape, draw), rate: 0.3, gain: 1 / 0.7 });
  expectNear(await t.y.data(), oracle.dropout(x, { rate: 0.3, ...attrs }));
  for (const tensor of Object.values(t)) tensor.dispose();
});

describe("the mask", () => {
  test.each([0.1, 0.5, 0.93])("drops a share of %d, and the mean stays", async (rate) => {
    const size = 200_000;
    const values = await masked([4, size / 4], rate, draw);
    const dropped = values.filter((v) => v === 0).length / size;
    expect(Math.abs(zScore(dropped, rate, Math.sqrt(rate * (1 - rate)), size))).toBeLessThan(4);
    const mean = values.reduce((a, b) => a + b) / size;
    expect(Math.abs(zScore(mean, 1, Math.sqrt(rate / (1 - rate)), size))).toBeLessThan(4);
    expect(new Set(values)).toEqual(new Set([0, Math.fround(1 / (1 - rate))]));
  });

  test("is that of the whole batch, however the batch is split", async () => {
    const whole = await masked([6, 5, 3], 0.5, draw);
    const parts = await Promise.all(
      [
        [0, 1],
        [1, 3],
        [4, 2],
      ].map(([from, n]) => masked([n!, 5, 3], 0.5, { ...draw, sampleOffset: 2 + from! })),
    );
    expect(parts.flat()).toEqual(whole);
  });

  test.each<[what: string, other: Partial<Draw>]>([
    ["seed", { seed: 4 }],
    ["step", { step: 6 }],
    ["site", { site: 4 }],
    ["purpose", { purpose: "user" }],
  ])("is another one for another %s", async (_, other) => {
    const size = 4096;
    const [a, b] = [await masked([1, size], 0.5, draw), await masked([1, size], 0.5, { ...draw, ...other })];
    const alike = a.filter((v, i) => v === b[i]).length / size;
    expect(Math.abs(zScore(alike, 0.5, 0.5, size))).toBeLessThan(4);
  });

  test("drops what is not finite like anything else", async () => {
    const rate = 0.5;
    const keep = await masked([64], rate, draw);
    const x = engine.tensor(new Float32Array(64).fill(Infinity));
    const y = dropout(x, rate, draw);
    expect([...(await y.data())]).toEqual(keep.map((v) => (v === 0 ? 0 : Infinity)));
    for (const t of [x, y]) t.dispose();
  });
});

test("a captured step draws anew at every replay, the same in both passes", async () => {
  const x = engine.variable(Float32Array.from(normal([3, 10], 1).data), [3, 10]);
  const step = new Scalar(0);
  const body = (): Tensor[] => {
    const y = dropout(x, 0.5, { ...draw, step });
    return [y, ...grad(sum(mul(square(y), 0.5)), [x])];
  };
  const capture = engine.capture(body);
  const seen: string[] = [];
  for (let i = 0; i < 3; i++) {
    step.value = i;
    capture.replay();
    const [y, dx] = await engine.readAll(capture.result);
    const eager = engine.scope(() => dropout(x, 0.5, { ...draw, step: i }));
    expect(y).toEqual(await eager.data());
    expectNear(dx!, { shape: [3, 10], data: Float64Array.from(y!, (v) => 2 * v) }); // y dy/dx, dy/dx 2 or 0
    seen.push(y!.join());
    eager.dispose();
  }
  expect(new Set(seen).size).toBe(3);
  capture.dispose();
  x.dispose();
});

test("at a rate of 0 it is x itself", () => {
  const x = engine.ones([3]);
  expect(dropout(x, 0, draw)).toBe(x);
  x.dispose();
});

describe("messages", () => {
  test.each([1, -0.1, Number.NaN])("a rate of %d", (rate) => {
    expect(() => dropout(engine.ones([3]), rate, draw)).toThrow(
      `dropout: got dropout rate ${rate}, expected a number from 0 to below 1`,
    );
  });

  test("dtype", () => {
    expect(() => dropout(engine.ones([3], "i32"), 0.5, draw)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: dropout: got dtype i32, expected f32]`,
    );
  });
});
