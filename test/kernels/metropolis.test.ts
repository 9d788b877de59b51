import { expect, test } from "vitest";
import { metropolis } from "../../engine/metropolis.ts";
import { metropolis as mathematics } from "../../engine/oracle/metropolis.ts";
import { randomUniform } from "../../engine/oracle/philox.ts";
import { drawNumbers, purposes } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import { metropolis as kernel } from "../../kernels/metropolis.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { zScore } from "../support/near.ts";

const draw = { seed: 42, step: 9, sampleOffset: 2 };

/** The draws of the samples' first lanes, moved from [0, 1) to (0, 1]. */
function uniforms(samples: number) {
  const attrs = { seed: [42, 0] as const, step: 9, purpose: purposes.accept, sampleOffset: 2 };
  const { data } = randomUniform([samples, 4], attrs);
  return { shape: [samples], data: data.filter((_, i) => i % 4 === 0).map((u) => u + 2 ** -24) };
}

test.each([[[7, 3]], [[1]], [[65, 2, 3]], [[130, 4, 5, 5]]])(
  "%j: whole samples, as the oracle decides",
  async (shape) => {
    const [x, y] = [normal(shape, 1), normal(shape, 2)];
    const ratio = normal([shape[0]!], 3);
    const tensors = [upload(x), upload(y), upload(ratio)] as const;
    metropolis(...tensors, draw);
    const expected = mathematics(x, y, ratio, uniforms(shape[0]!));
    expect([...(await tensors[0].data())]).toEqual([...expected.data]);
    if (shape[0]! > 2) expect(expected.data.some((v, i) => v === x.data[i])).toBe(true);
    for (const t of tensors) t.dispose();
  },
);

test.each(kernel.variants)("by runs of $run blocks, whole ones only: $vec", async (variant) => {
  const shape = variant.vec ? [20, 12] : [20, 13];
  const [x, y] = [normal(shape, 1), normal(shape, 2)];
  const ratio = normal([20], 3);
  const t = { x: upload(x), y: upload(y), logRatio: upload(ratio) };
  engine.launch(kernel, variant, t, drawNumbers(shape, { ...draw, purpose: "accept" }));
  expect([...(await t.x.data())]).toEqual([...mathematics(x, y, ratio, uniforms(20)).data]);
  for (const tensor of Object.values(t)) tensor.dispose();
});

test("accepts with probability exp(logRatio), always from 0 on, never without a number", async () => {
  const n = 20_000;
  const ratios = [-Infinity, -3, -0.5, 0, 2, Infinity, Number.NaN];
  const expected = [0, Math.exp(-3), Math.exp(-0.5), 1, 1, 1, 0];
  for (const [i, ratio] of ratios.entries()) {
    const x = engine.zeros([n]);
    const y = engine.ones([n]);
    const logRatio = engine.tensor(new Float32Array(n).fill(ratio));
    metropolis(x, y, logRatio, { seed: 5, step: i });
    const rate = [...(await x.data())].reduce((sum, v) => sum + v, 0) / n;
    const p = expected[i]!;
    if (p === 0 || p === 1) expect(rate, `ratio ${ratio}`).toBe(p);
    else expect(Math.abs(zScore(rate, p, Math.sqrt(p * (1 - p)), n)), `ratio ${ratio}`).toBeLessThan(4);
    for (const t of [x, y, logRatio]) t.dispose();
  }
});

test("what is refused does no harm, were it NaN", async () => {
  const [x, y, ratio] = [
    engine.ones([3, 4]),
    engine.full([3, 4], Number.NaN),
    engine.tensor([-1e30, NaN, -1e30]),
  ];
  metropolis(x, y, ratio, draw);
  expect([...(await x.data())]).toEqual(new Array(12).fill(1));
  for (const t of [x, y, ratio]) t.dispose();
});

test("tensors of other sizes move alike, and a Scalar moves the draw on", async () => {
  const n = 500;
  const step = new Scalar(0);
  const [wide, narrow] = [engine.zeros([n, 7]), engine.zeros([n])];
  const [ones, one] = [engine.ones([n, 7]), engine.ones([n])];
  const ratio = engine.full([n], Math.log(0.5));
  const decide = () => {
    metropolis(wide, ones, ratio, { seed: 1, step });
    metropolis(narrow, one, ratio, { seed: 1, step });
  };
  const capture = engine.capture(decide);
  const first = await narrow.data();
  expect([...(await wide.data())].filter((_, i) => i % 7 === 3)).toEqual([...first]);
  step.value = 1;
  capture.replay();
  const both = await narrow.data();
  expect(both.some((v, i) => v > first[i]!)).toBe(true);
  expect([...(await wide.data())].filter((_, i) => i % 7 === 3)).toEqual([...both]);
  capture.dispose();
  for (const t of [wide, narrow, ones, one, ratio]) t.dispose();
});

test("shapes that do not fit are refused", () => {
  expect(() =>
    metropolis(engine.ones([2, 3]), engine.ones([2, 3]), engine.ones([3]), draw),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: metropolis: got x [2,3], y [2,3] and logRatio [3], expected two [n,...] of one shape and [n]]`,
  );
});
