import { expect, test } from "vitest";
import { add, mul } from "../../engine/ops/index.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import { langevinStep as mathematics } from "../../engine/oracle/updates.ts";
import { type Draw, drawNumbers, purposes, randn } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import { langevinStep } from "../../engine/updates.ts";
import { langevinStep as kernel } from "../../kernels/langevin.ts";
import { fromHost, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const draw: Draw = { seed: 42, purpose: "sampler", step: 9, sampleOffset: 2 };

test.each([[[3, 7]], [[1]], [[65, 2, 3]], [[2, 4, 5, 5]]])(
  "one step on %j: the oracle's, and the same as draw and ops",
  async (shape) => {
    const [x, score] = [normal(shape, 1), normal(shape, 2)];
    const [a, b] = [0.05, 0.3];
    const inPlace = upload(x);
    const s = upload(score);
    const unfused = engine.scope(() => add(add(inPlace, mul(s, a)), mul(randn(engine, shape, draw), b)));
    langevinStep(inPlace, s, { a, b, draw });
    const [fused, separate] = await engine.readAll([inPlace, unfused]);
    const z = randomNormal(shape, { seed: [42, 0], step: 9, purpose: purposes.sampler, sampleOffset: 2 });
    expectNear(fused!, mathematics(x, score, z, { a, b }));
    expectNear(fused!, fromHost(separate!, shape), { magnitude: 0.5 });
    for (const t of [inPlace, s, unfused]) t.dispose();
  },
);

test.each(kernel.variants)("by runs of $run blocks, whole ones only: $vec", async (variant) => {
  const shape = variant.vec ? [5, 12] : [5, 13];
  const [x, score] = [normal(shape, 1), normal(shape, 2)];
  const t = { x: upload(x), score: upload(score) };
  engine.launch(kernel, variant, t, { ...drawNumbers(shape, draw), a: 0.05, b: 0.3 });
  const z = randomNormal(shape, { seed: [42, 0], step: 9, purpose: purposes.sampler, sampleOffset: 2 });
  expectNear(await t.x.data(), mathematics(x, score, z, { a: 0.05, b: 0.3 }));
  for (const tensor of Object.values(t)) tensor.dispose();
});

test("step and sizes may be Scalars, so that a captured chain moves on", async () => {
  const shape = [4, 6];
  const run = async (captured: boolean) => {
    const x = upload(normal(shape, 1));
    const [a, step] = [new Scalar(0), new Scalar(0)];
    const body = () => langevinStep(x, mul(x, -1), { a, b: 0.1, draw: { ...draw, step } });
    let capture: ReturnType<typeof engine.capture<void>> | undefined;
    for (let i = 0; i < 4; i++) {
      a.value = 0.1 / (i + 1);
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

test("shapes that differ are refused", () => {
  expect(() =>
    langevinStep(engine.ones([2]), engine.ones([3]), { a: 1, b: 1, draw }),
  ).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: langevinStep: got x [2], score [3], expected one shape]`,
  );
});
