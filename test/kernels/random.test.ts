import { describe, expect, test } from "vitest";
import { sizeOf } from "../../engine/oracle/array.ts";
import { type Four, philox4x32, randomNormal, randomUniform } from "../../engine/oracle/philox.ts";
import { type Draw, drawNumbers, purposes, rand, randbits, randn } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { HostData, Shape, Tensor } from "../../engine/tensor.ts";
import { randomFill } from "../../kernels/random.ts";
import { engine } from "../support/engine.ts";
import { expectNear, zScore } from "../support/near.ts";

const spec: Draw = { seed: 2 ** 52 + 12345, purpose: "perturb", step: 77, sampleOffset: 3 };
const oracleSpec = { seed: [12345, 2 ** 20] as const, step: 77, purpose: purposes.perturb, sampleOffset: 3 };
const shapes: Shape[] = [[], [1], [5], [1, 7], [3, 7], [2, 3, 5], [70, 4], [1, 1000]];

async function values(t: Tensor): Promise<HostData> {
  const host = await t.data();
  t.dispose();
  return host;
}

describe("the oracle's numbers", () => {
  test("words, bit for bit", async () => {
    for (const shape of shapes) {
      const got = await values(randbits(engine, shape, spec));
      const samples = shape[0] ?? 1;
      const size = sizeOf(shape) / samples;
      const expected = Array.from({ length: samples * size }, (_, i) => {
        const [n, e] = [Math.floor(i / size), i % size];
        const counter: Four = [Math.floor(e / 4), 3 + n, 77, purposes.perturb];
        return philox4x32(counter, oracleSpec.seed)[e % 4]!;
      });
      expect([...got], `[${shape}]`).toEqual(expected);
    }
  });

  test("uniform, bit for bit", async () => {
    for (const shape of shapes)
      expect([...(await values(rand(engine, shape, spec)))]).toEqual([
        ...randomUniform(shape, oracleSpec).data,
      ]);
  });

  test("normal, to 1e-6 of their scale", async () => {
    for (const shape of [...shapes, [100, 1000]]) {
      const expected = randomNormal(shape, oracleSpec);
      const magnitude = {
        shape: expected.shape,
        data: expected.data.map((z) => 0.5 * Math.max(1, Math.abs(z))),
      };
      expectNear(await values(randn(engine, shape, spec)), expected, { magnitude });
    }
  });
});

test("scaled and shifted", async () => {
  for (const shape of shapes) {
    const uniform = randomUniform(shape, oracleSpec);
    const normal = randomNormal(shape, oracleSpec);
    const affine = { scale: 0.3, shift: -2 };
    const of = (z: number) => z * 0.3 - 2;
    const magnitude = { shape: normal.shape, data: normal.data.map((z) => Math.max(2, Math.abs(z))) };
    expectNear(await values(rand(engine, shape, spec, affine)), { ...uniform, data: uniform.data.map(of) });
    expectNear(
      await values(randn(engine, shape, spec, affine)),
      { ...normal, data: normal.data.map(of) },
      { magnitude },
    );
  }
});

test.each(randomFill.variants)("$law by runs of $run blocks, whole ones only: $vec", async (variant) => {
  for (const shape of variant.vec
    ? [
        [3, 8],
        [70, 4],
        [1, 1000],
      ]
    : [[3, 7], [5], [2, 1001]]) {
    const y = engine.empty(shape, variant.law === "bits" ? "u32" : "f32");
    engine.launch(randomFill, variant, { y }, { ...drawNumbers(shape, spec), scale: 1, shift: 0 });
    const api = { normal: randn, uniform: rand, bits: randbits }[variant.law](engine, shape, spec);
    expect(await values(y), `[${shape}]`).toEqual(await values(api));
  }
});

describe("draws", () => {
  test("do not depend on the batch they are in", async () => {
    const whole = await values(randn(engine, [7, 3, 5], { ...spec, sampleOffset: 0 }));
    const parts = [
      await values(randn(engine, [4, 3, 5], { ...spec, sampleOffset: 0 })),
      await values(randn(engine, [3, 15], { ...spec, sampleOffset: 4 })),
    ];
    expect(parts.flatMap((p) => [...p])).toEqual([...whole]);
  });

  test("differ with the seed (all of its 53 bits), step, purpose and sample", async () => {
    const base: Draw = { seed: 1, purpose: "user", step: 0 };
    const others: Draw[] = [
      base,
      { ...base, seed: 2 },
      { ...base, seed: 1 + 2 ** 32 },
      { ...base, step: 1 },
      { ...base, purpose: "prior" },
      { ...base, sampleOffset: 1 },
    ];
    const firsts = await Promise.all(
      others.map(async (d) => (await values(randbits(engine, [1, 4], d))).join()),
    );
    expect(new Set(firsts).size).toBe(others.length);
  });

  test("take the step from a Scalar", async () => {
    const step = new Scalar(5);
    const a = await values(randn(engine, [9], { ...spec, step }));
    expect(a).toEqual(await values(randn(engine, [9], { ...spec, step: 5 })));
  });

  test("have the moments of their laws", async () => {
    const n = 1_000_000;
    const normal = await values(randn(engine, [10, n / 10], { seed: 1, purpose: "user" }));
    const uniform = await values(rand(engine, [10, n / 10], { seed: 2, purpose: "user" }));
    const mean = (x: HostData, f: (v: number) => number) => {
      let total = 0;
      for (const v of x) total += f(v);
      return total / x.length;
    };
    // Moments of N(0,1): 0, 1, 0, 3 with variances 1, 2, 15, 96; of U[0,1): 1/2, 1/3.
    const scores = {
      mean: zScore(
        mean(normal, (z) => z),
        0,
        1,
        n,
      ),
      variance: zScore(
        mean(normal, (z) => z * z),
        1,
        Math.sqrt(2),
        n,
      ),
      skewness: zScore(
        mean(normal, (z) => z ** 3),
        0,
        Math.sqrt(15),
        n,
      ),
      kurtosis: zScore(
        mean(normal, (z) => z ** 4),
        3,
        Math.sqrt(96),
        n,
      ),
      beyond3: zScore(
        mean(normal, (z) => (Math.abs(z) > 3 ? 1 : 0)),
        0.0026998,
        Math.sqrt(0.0026998),
        n,
      ),
      uniformMean: zScore(
        mean(uniform, (u) => u),
        0.5,
        Math.sqrt(1 / 12),
        n,
      ),
      uniformSquare: zScore(
        mean(uniform, (u) => u * u),
        1 / 3,
        Math.sqrt(1 / 5 - 1 / 9),
        n,
      ),
      neighbours: zScore(
        mean(
          normal.map((z, i) => z * normal[(i + 1) % n]!),
          (v) => v,
        ),
        0,
        1,
        n,
      ),
      pairs: zScore(
        mean(
          normal.map((z, i) => z * normal[i ^ 2]!),
          (v) => v,
        ),
        0,
        Math.SQRT2,
        n,
      ),
    };
    for (const [name, z] of Object.entries(scores)) expect(Math.abs(z), name).toBeLessThan(4.5);
    for (const u of uniform) if (!(u >= 0 && u < 1)) expect.fail(`uniform: ${u}`);
    for (const z of normal) if (!(Math.abs(z) < 5.8)) expect.fail(`normal: ${z}`);
  });

  test("want a seed they can hold, and a shape", () => {
    expect(() => randn(engine, [2], { ...spec, seed: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: random: got seed -1, expected a whole number from 0 to 2^53 - 1]`,
    );
    expect(() => randn(engine, [2], { ...spec, seed: 2 ** 53 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: random: got seed 9007199254740992, expected a whole number from 0 to 2^53 - 1]`,
    );
    for (const name of ["step", "sampleOffset"])
      for (const value of [-1, 0.5, 2 ** 32, Number.NaN])
        expect(() => randn(engine, [2], { ...spec, [name]: value })).toThrow(
          `random: got ${name} ${value}, expected a whole number from 0 to 2^32 - 1`,
        );
    expect(() => randn(engine, [2], { ...spec, site: 2 ** 24 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: random: got site 16777216, expected a whole number from 0 to 2^24 - 1]`,
    );
    expect(() =>
      randn(engine, [2], { ...spec, purpose: "prio" as "prior" }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: random: got purpose prio, expected one of init, perturb, labels, dropout, sampler, prior, user, accept; did you mean prior?]`,
    );
    for (const purpose of ["toString", undefined])
      expect(() => randn(engine, [2], { ...spec, purpose: purpose as never })).toThrow(
        `random: got purpose ${purpose}, expected one of init`,
      );
    expect(() => rand(engine, [2, 0], spec)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: random: got shape [2,0], expected whole lengths of at least 1]`,
    );
  });
});
