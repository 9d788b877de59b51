import { expect, test } from "vitest";
import { array64 } from "../../engine/oracle/array.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import { normRatios as each, normRatio as mathematics } from "../../engine/oracle/updates.ts";
import { type Draw, drawNumbers, purposes } from "../../engine/random.ts";
import { normRatio } from "../../engine/updates.ts";
import { drawnNorms, normRatio as joins, sampleNorms } from "../../kernels/norm-ratio.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const draw: Draw = { seed: 42, purpose: "sampler", step: 9, sampleOffset: 2 };
const drawn = (shape: readonly number[]) =>
  randomNormal(shape, { seed: [42, 0], step: 9, purpose: purposes.sampler, sampleOffset: 2 });

test.each([[[3, 7]], [[1]], [[200, 2]], [[2, 4, 5, 5]], [[3, 3, 33, 11]]])(
  "noise to score of %j: the oracle's",
  async (shape) => {
    const score = normal(shape, 2);
    const s = upload(score);
    const ratio = normRatio(s, draw);
    const exact = mathematics(drawn(shape), score);
    expectNear(await ratio.data(), array64([1], [exact]), { terms: 4 });
    for (const t of [s, ratio]) t.dispose();
  },
);

test.each(drawnNorms.variants)("sums of segments, by $by, whole blocks only: $vec", async (v) => {
  const [samples, segments] = [3, 2];
  for (const sampleSize of v.vec ? [8, 300, 1000] : [5, 301, 1003]) {
    const shape = [samples, sampleSize];
    const score = normal(shape, 2);
    const { sums } = await launched(
      drawnNorms,
      v,
      { score },
      { sums: [samples, segments, 2] },
      { ...drawNumbers(shape, draw), step: 9, offset: 2, segments },
    );
    const per = 4 * Math.ceil(Math.ceil(sampleSize / 4) / segments);
    const z = drawn(shape);
    const expected = Array.from({ length: samples * segments }, (_, i) => {
      const first = Math.floor(i / segments) * sampleSize + (i % segments) * per;
      const last = Math.min(first + per, (Math.floor(i / segments) + 1) * sampleSize);
      const squares = (values: Float64Array) =>
        values.subarray(first, last).reduce((total, value) => total + value ** 2, 0);
      return [squares(z.data), squares(score.data)];
    }).flat();
    expectNear(sums!, array64([expected.length], expected), { terms: 4 });
  }
});

test.each(["thread", "group"] as const)(
  "joins more samples than a workgroup has threads, by %s",
  async (by) => {
    const [samples, segments] = [331, 3];
    const sums = normal([samples, segments, 2], 4);
    sums.data.forEach((v, i) => void (sums.data[i] = Math.abs(v)));
    const numbers = { samples, segments };
    const norms =
      by === "group" && (await launched(sampleNorms, {}, { sums }, { norms: [samples, 2] }, numbers)).norms;
    const given = norms ? { shape: [samples, 2], data: Float64Array.from(norms) } : sums;
    const { ratio } = await launched(
      joins,
      { over: "batch" as const, by },
      { sums: given },
      { ratio: [1] },
      numbers,
    );
    const totals = [0, 0];
    for (let n = 0; n < samples; n++)
      for (const k of [0, 1] as const) {
        let total = 0;
        for (let i = 0; i < segments; i++) total += sums.data[2 * (segments * n + i) + k]!;
        totals[k]! += Math.sqrt(total);
      }
    expectNear(ratio!, array64([1], [(totals[0]! / totals[1]!) ** 2]), { terms: 4 });
  },
);

test.each(["thread", "group"] as const)("joins the segments of each sample by itself, by %s", async (by) => {
  for (const [samples, segments] of [
    [131, 3],
    [1, 1],
    [64, 7],
    [3, 150],
  ] as const) {
    const sums = normal([samples, segments, 2], 4);
    sums.data.forEach((v, i) => void (sums.data[i] = Math.abs(v)));
    const { ratio } = await launched(
      joins,
      { over: "sample" as const, by },
      { sums },
      { ratio: [samples] },
      { samples, segments },
    );
    const expected = Array.from({ length: samples }, (_, n) => {
      const total = [0, 0];
      for (let i = 0; i < segments; i++)
        for (const k of [0, 1] as const) total[k]! += sums.data[2 * (segments * n + i) + k]!;
      return total[0]! / total[1]!;
    });
    expectNear(ratio!, array64([samples], expected), { terms: 4 });
  }
});

test.each([[[3, 7]], [[1]], [[200, 2]], [[2, 4, 5, 5]], [[3, 3, 33, 11]]])(
  "noise to score of each sample of %j: the oracle's, whatever else is in the batch",
  async (shape) => {
    const score = normal(shape, 2);
    const s = upload(score);
    const size = score.data.length / shape[0]!;
    const last = engine.tensor(Float32Array.from(score.data.slice(-size)), [1, ...shape.slice(1)]);
    const ratios = normRatio(s, draw, "sample");
    const own = normRatio(last, { ...draw, sampleOffset: 2 + shape[0]! - 1 }, "sample");
    expectNear(await ratios.data(), each(drawn(shape), score), { terms: 4 });
    expect((await own.data())[0]).toBe((await ratios.data()).at(-1));
    for (const t of [s, last, ratios, own]) t.dispose();
  },
);

test.each(["batch", "sample"] as const)("on a GPU, over a %s: of many samples, and of long ones", (over) =>
  choosingFor({ kind: "gpu" }, async () => {
    for (const shape of [
      [601, 5],
      [2, 3, 70, 70],
    ]) {
      const score = normal(shape, 2);
      const s = upload(score);
      const ratio = normRatio(s, draw, over);
      const z = drawn(shape);
      const exact = over === "batch" ? array64([1], [mathematics(z, score)]) : each(z, score);
      expectNear(await ratio.data(), exact, { terms: 4 });
      for (const t of [s, ratio]) t.dispose();
    }
  }),
);

test("of a batch in parts is not that of the whole", async () => {
  const s = upload(normal([4, 6], 2));
  const [whole, part] = [normRatio(s, draw), normRatio(engine.tensor([1, 2, 3], [1, 3]), draw)];
  const [a, b] = await engine.readAll([whole, part]);
  expect(a![0]).not.toBe(b![0]);
  for (const t of [s, whole, part]) t.dispose();
});

test("integers are refused", () => {
  const draw = { seed: 1, purpose: "sampler" } as const;
  expect(() => normRatio(engine.ones([2, 3], "i32"), draw)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: normRatio: got dtype i32, expected f32]`,
  );
});
