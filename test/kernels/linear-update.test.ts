import { expect, test } from "vitest";
import { add, mul } from "../../engine/ops/index.ts";
import { array64 } from "../../engine/oracle/array.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import { linearUpdate as mathematics } from "../../engine/oracle/updates.ts";
import { type Draw, drawNumbers, purposes, randn } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import { linearUpdate } from "../../engine/updates.ts";
import { linearUpdate as kernel } from "../../kernels/linear-update.ts";
import { fromHost, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const draw: Draw = { seed: 42, purpose: "sampler", step: 9, sampleOffset: 2 };
const numbers = { keep: 0.9, pull: 0.05, noise: 0.3 };
const drawn = (shape: readonly number[]) =>
  randomNormal(shape, { seed: [42, 0], step: 9, purpose: purposes.sampler, sampleOffset: 2 });

test.each([[[3, 7]], [[1]], [[65, 2, 3]], [[2, 4, 5, 5]]])(
  "one update of %j: the oracle's, and the same as draw and ops",
  async (shape) => {
    const [x, score] = [normal(shape, 1), normal(shape, 2)];
    const inPlace = upload(x);
    const s = upload(score);
    const { keep, pull, noise } = numbers;
    const unfused = engine.scope(() =>
      add(mul(inPlace, keep), add(mul(s, pull), mul(randn(engine, shape, draw), noise))),
    );
    linearUpdate(inPlace, s, numbers, draw);
    const [fused, separate] = await engine.readAll([inPlace, unfused]);
    expectNear(fused!, mathematics(x, score, drawn(shape), numbers));
    expectNear(fused!, fromHost(separate!, shape), { magnitude: 0.5 });
    for (const t of [inPlace, s, unfused]) t.dispose();
  },
);

test.each(kernel.variants)(
  "by runs of $run blocks, whole ones only: $vec, in a unit: $unit, draws: $draws",
  async (v) => {
    const shape = v.vec ? [5, 12] : [5, 13];
    const [x, score] = [normal(shape, 1), normal(shape, 2)];
    const t = { x: upload(x), score: upload(score), unit: engine.tensor([4, Number.NaN]) };
    engine.launch(kernel, v, t, { ...drawNumbers(shape, draw), ...numbers, unitPitch: 0 });
    const inUnit = v.unit ? { keep: 0.9, pull: 0.2, noise: 0.6 } : numbers;
    const expected = v.draws ? inUnit : { ...inUnit, noise: 0 };
    expectNear(await t.x.data(), mathematics(x, score, drawn(shape), expected));
    for (const tensor of Object.values(t)) tensor.dispose();
  },
);

test.each(kernel.variants.filter(({ unit }) => unit))(
  "by runs of $run blocks, whole ones only: $vec, in units of each sample's own, draws: $draws",
  async (v) => {
    for (const size of v.vec ? [4, 12, 100] : [1, 13, 99]) {
      const shape = [5, size];
      const [x, score, z] = [normal(shape, 1), normal(shape, 2), drawn(shape)];
      const units = [4, 0.25, 1, 9, 0];
      const t = { x: upload(x), score: upload(score), unit: engine.tensor(units) };
      engine.launch(kernel, v, t, { ...drawNumbers(shape, draw), ...numbers, unitPitch: 1 });
      const row = (a: typeof x, n: number) => array64([size], a.data.slice(n * size, (n + 1) * size));
      const expected = units.flatMap((u, n) => [
        ...mathematics(row(x, n), row(score, n), row(z, n), {
          keep: 0.9,
          pull: u * 0.05,
          noise: v.draws ? Math.sqrt(u) * 0.3 : 0,
        }).data,
      ]);
      expectNear(await t.x.data(), array64(shape, expected));
      for (const tensor of Object.values(t)) tensor.dispose();
    }
  },
);

test("coefficients and step may be Scalars, so that a captured chain moves on", async () => {
  const shape = [4, 6];
  const run = async (captured: boolean) => {
    const x = upload(normal(shape, 1));
    const [keep, pull, step] = [new Scalar(0), new Scalar(0), new Scalar(0)];
    const body = () => linearUpdate(x, mul(x, -1), { keep, pull, noise: 0.1 }, { ...draw, step });
    let capture: ReturnType<typeof engine.capture<void>> | undefined;
    for (let i = 0; i < 4; i++) {
      keep.value = 1 - 0.01 * i;
      pull.value = 0.1 / (i + 1);
      step.value = i;
      if (!captured) engine.scope(body);
      else if (!capture) capture = engine.capture(body);
      else capture.replay();
    }
    const values = await x.data();
    capture?.dispose();
    x.dispose();
    return values;
  };
  expect(await run(true)).toEqual(await run(false));
});

test.each([draw, undefined])("noise 0 and no draw leave the mean", async (drawn) => {
  const [x, s] = [upload(array64([1, 2], [1, 2])), upload(array64([1, 2], [8, 4]))];
  linearUpdate(x, s, { keep: 0.5, pull: 0.25, noise: 0 }, drawn);
  expect([...(await x.data())]).toEqual([2.5, 2]);
  for (const tensor of [x, s]) tensor.dispose();
});

test("a chain may be its own score", async () => {
  const x = upload(array64([1, 2], [1, 2]));
  engine.scope(() => linearUpdate(x, x, { keep: 0.5, pull: 0.25, noise: 0 }, draw));
  expect([...(await x.data())]).toEqual([0.75, 1.5]);
  x.dispose();
});

test("shapes that differ are refused", () => {
  expect(() =>
    linearUpdate(engine.ones([2]), engine.ones([3]), numbers, draw),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: linearUpdate: got x [2], score [3], expected one shape]`,
  );
  const x = engine.ones([3, 2]);
  expect(() =>
    linearUpdate(x, x, { ...numbers, unit: engine.ones([2]) }, draw),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: linearUpdate: got unit [2] for x [3,2], expected [1] or [3]]`,
  );
});

test("integers are refused", () => {
  const [x, whole] = [engine.ones([2]), engine.ones([2], "i32")];
  for (const update of [
    () => linearUpdate(whole, x, numbers, draw),
    () => linearUpdate(x, whole, numbers, draw),
    () => linearUpdate(x, x, { ...numbers, unit: whole }, draw),
  ])
    expect(update).toThrow("linearUpdate: got dtype i32, expected f32");
});
