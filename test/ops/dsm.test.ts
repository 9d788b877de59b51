import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dsmLoss, dsmPerturb } from "../../engine/ops/dsm.ts";
import { map } from "../../engine/oracle/array.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import * as oracle from "../../engine/oracle/updates.ts";
import { type Draw, purposes } from "../../engine/random.ts";
import { checkOp, fromHost, upload } from "../support/check-op.ts";
import { normal, uniform } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { check, seed } from "../support/property.ts";

const draw: Draw = { seed: 5, purpose: "perturb", step: 3, sampleOffset: 1 };
const batches = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 });

test("dsmPerturb: x + sigma z, with the z it returns", () =>
  check(
    fc.record({ shape: batches, seed }),
    async ({ shape, seed }) => {
      const [x, sigma] = [normal(shape, seed), uniform(0.01, 50)([shape[0]!], seed + 1)];
      const made = engine.scope(() => dsmPerturb(upload(x), upload(sigma), draw));
      const [noisy, z] = await engine.readAll([made.noisy, made.z]);
      const expected = randomNormal(shape, {
        seed: [5, 0],
        step: 3,
        purpose: purposes.perturb,
        sampleOffset: 1,
      });
      expectNear(z!, expected, {
        magnitude: { shape, data: expected.data.map((v) => Math.max(1, Math.abs(v))) },
      });
      expectNear(noisy!, oracle.dsmPerturb(x, sigma, fromHost(z!, shape)));
      for (const t of [made.noisy, made.z]) t.dispose();
    },
    10,
  ));

test("dsmLoss: value, first and second derivative in the score", () =>
  check(
    fc.record({ shape: batches, annealPower: fc.constantFrom(0, 1, 2), seed }),
    async ({ shape, annealPower, seed }) => {
      const z = normal(shape, seed + 1);
      const sigma = uniform(0.2, 5)([shape[0]!], seed + 2);
      const given = [upload(z), upload(sigma)] as const;
      await checkOp({
        op: (score) => dsmLoss(score, ...given, { annealPower }),
        oracle: (score) => oracle.dsmLoss(score, z, sigma, { annealPower }),
        inputs: [normal(shape, seed)],
        seed,
        terms: 100,
      });
      for (const t of given) t.dispose();
    },
    12,
  ));

test.each(["cpu", "gpu"] as const)("dsmLoss of large samples, whose sum is cut in segments on a %s", (kind) =>
  choosingFor({ kind }, async () => {
    for (const size of [255, 256, 257, 3000, 9001]) {
      const [score, z] = [normal([2, size], 1), normal([2, size], 2)];
      const sigma = uniform(0.5, 2)([2], 3);
      const loss = engine.scope(() => dsmLoss(upload(score), upload(z), upload(sigma)));
      expectNear(await loss.data(), oracle.dsmLoss(score, z, sigma, { annealPower: 2 }), { terms: 16 });
      loss.dispose();
    }
  }),
);

test("the loss of the perfect score is 0, of no score half the dimension", async () => {
  const z = normal([3, 8], 1);
  const sigma = uniform(0.1, 9)([3], 2);
  const perfect = map(z, (v, i) => Math.fround(-v / sigma.data[Math.floor(i / 8)]!));
  const losses = engine.scope(() =>
    [perfect, map(z, () => 0)].map((score) => dsmLoss(upload(score), upload(z), upload(sigma))),
  );
  const [best, none] = (await engine.readAll(losses)).map((v) => v[0]!);
  expect(best).toBeLessThan(1e-10);
  expect(none).toBeCloseTo(z.data.reduce((a, v) => a + v * v, 0) / 6, 4);
  for (const t of losses) t.dispose();
});

describe("messages", () => {
  const [x, sigma] = [engine.ones([2, 3]), engine.ones([2])];

  test("sigma is one number for each sample", () => {
    expect(() => dsmPerturb(x, engine.ones([3]), draw)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: dsmPerturb: got sigma [3] for [2,3], expected one for each sample, [2]]`,
    );
    expect(() => dsmLoss(x, x, engine.ones([2, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: dsmLoss: got sigma [2,1] for [2,3], expected one for each sample, [2]]`,
    );
  });
  test("scalars and integers", () => {
    expect(() => dsmPerturb(engine.ones([]), engine.ones([1]), draw)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: dsmPerturb: got a scalar, expected [n,...]]`,
    );
    const whole = engine.ones([2, 3], "i32");
    for (const loss of [
      () => dsmPerturb(whole, sigma, draw),
      () => dsmPerturb(x, engine.ones([2], "i32"), draw),
      () => dsmLoss(whole, x, sigma),
      () => dsmLoss(x, whole, sigma),
    ])
      expect(loss).toThrow("got dtype i32, expected f32");
  });
  test("the power", () => {
    expect(() => dsmLoss(x, x, sigma, { annealPower: Number.NaN })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: dsmLoss: got annealPower NaN, expected a finite number]`,
    );
  });
  test("score and z have one shape", () => {
    expect(() => dsmLoss(x, engine.ones([2, 4]), sigma)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: dsmLoss: got score [2,3], z [2,4], expected one shape]`,
    );
  });
});
