import { describe, expect, test } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import { add, scale, sum } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { couple, decouple } from "../../samplers/controllable/colorize.ts";
import type { HeldOptions } from "../../samplers/index.ts";
import {
  asScore,
  blur,
  classConditional,
  colorize,
  inpaint,
  maskedFourier,
  type Operator,
  solveInverse,
  superResolution,
  ve,
  vp,
} from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";

/** Pulls every element to 0 and to its image's sum, so that what is known tells of the rest. */
const score = asScore((x) => {
  const total = sum(x, { axis: [1, 2, 3], keepDims: true });
  return add(scale(x, -0.2), scale(total, -0.01));
});
const image = [3, 4, 4];
const images = (n: number): Shape => [n, ...image];
const base = { sde: vp({ betaMax: 8, steps: 12 }), seed: 9, corrector: "ald" } as const;

const picture = Float32Array.from({ length: 48 }, (_, i) => Math.sin(i));
const mask = Float32Array.from({ length: 16 }, (_, i) => (i % 3 === 0 ? 1 : 0));
const frequencies = Array.from({ length: 4 }, (_, i) => (i < 2 ? [1, 1, 0, 1] : [1, 0, 0, 0]));

type Run = (n: number, options: HeldOptions) => Promise<{ x: Tensor }>;

const inverse =
  (operator: Operator): Run =>
  async (n, options) => {
    using observed = engine.scope(() =>
      operator.apply(
        engine.tensor(
          Float32Array.from({ length: n * 48 }, (_, i) => picture[i % 48]!),
          images(n),
        ),
      ),
    );
    return await solveInverse(engine, score, images(n), { ...options, observed, operator });
  };

const runs: Readonly<Record<string, Run>> = {
  async inpaint(n, options) {
    using known = engine.tensor(picture, [1, ...image]);
    using held = engine.tensor(mask, [4, 4]);
    return await inpaint(engine, score, images(n), { ...options, known, mask: held });
  },
  async colorize(n, options) {
    using gray = engine.tensor(picture.subarray(0, 16), [1, 1, 4, 4]);
    return await colorize(engine, score, images(n), { ...options, gray });
  },
  superResolution: inverse(superResolution(2)),
  blur: inverse(blur([1, 2, 1])),
  maskedFourier: inverse(maskedFourier(frequencies)),
};
const names = Object.keys(runs);

async function draw(
  name: string,
  n: number,
  options: Partial<HeldOptions> = {},
): Promise<Float32Array<ArrayBuffer>> {
  const { x } = await runs[name]!(n, { ...base, ...options });
  const values = (await x.data()) as Float32Array<ArrayBuffer>;
  x.dispose();
  return values;
}

describe.each(names)("%s", (name) => {
  test("in parts by sampleOffset is the whole, to the bit; another seed gives other samples", async () => {
    const whole = await draw(name, 5);
    const parts = [await draw(name, 2), await draw(name, 3, { sampleOffset: 2 })];
    expect(Float32Array.from(parts.flatMap((p) => [...p]))).toEqual(whole);
    expect(await draw(name, 5, { seed: 10 })).not.toEqual(whole);
    expect(whole.subarray(0, 48)).not.toEqual(whole.subarray(48, 96));
  });

  test("replayed and one by one with the same draws, to the bit", async () => {
    const options = { correctorSteps: 2, fusion: "separate" } as const;
    // At each time: both corrector steps, what is known, the predictor at site 0, and what is known again.
    const sites = [1, 2, 3, 0, 4];
    let asked = 0;
    const noise = (shape: Shape) => {
      const [step, site] = [Math.floor(asked / sites.length), sites[asked % sites.length]!];
      asked++;
      return randn(engine, shape, { seed: 9, purpose: "sampler", step, site });
    };
    expect(await draw(name, 3, { ...options, noise })).toEqual(await draw(name, 3, options));
    expect(asked).toBe(12 * sites.length);
  });

  test("left after any step, it goes on to the same samples, to the bit", async () => {
    const states: Tensor[] = [];
    const onStep = ({ x }: { x: Tensor }) => void states.push(engine.untrack(scale(x, 1)));
    const whole = await draw(name, 2, { onStep });
    for (const [i, start] of states.entries())
      expect(await draw(name, 2, { start, done: i + 1 }), `after ${i + 1}`).toEqual(whole); // it frees the start
  });

  test("a place to go on from that is none is refused", async () => {
    await expect(draw(name, 2, { done: 3 })).rejects.toThrow("got done 3 without a start");
    using start = engine.zeros(images(2));
    await expect(draw(name, 2, { start, done: 13 })).rejects.toThrow("got done 13 of 12 steps");
  });

  test("gives its memory back, also when it fails", async () => {
    const { live } = engine.memory();
    await draw(name, 2);
    expect(engine.memory().live).toBe(live);
    const onStep = () => {
      throw new Error("enough");
    };
    await expect(draw(name, 2, { onStep })).rejects.toThrow("enough");
    expect(engine.memory().live).toBe(live);
  });
});

describe("what is known", () => {
  const alpha = base.sde.marginalAt(base.sde.samplingEps).alpha;

  test("of a mask ends as it was given, and as published times alpha of the last time; without denoising with its noise", async () => {
    const [clean, known, noisy] = [
      await draw("inpaint", 2),
      await draw("inpaint", 2, { denoise: "known" }),
      await draw("inpaint", 2, { denoise: false }),
    ];
    const std = base.sde.marginalAt(base.sde.samplingEps).std;
    for (const [i, value] of clean.entries()) {
      const held = mask[i % 16] === 1;
      const expected = alpha * picture[i % 48]!;
      if (held) {
        expect(value).toBe(picture[i % 48]);
        expect(known[i]).toBeCloseTo(expected, 6);
        expect(noisy[i]).not.toBe(value);
        expect(Math.abs(noisy[i]! - expected)).toBeLessThan(5 * std);
      } else {
        expect(noisy[i]).not.toBe(value); // the predictor's last noise
        expect(known[i]).toBe(noisy[i]);
      }
    }
  });

  test("of colours is their mean, in each pixel", async () => {
    const values = await draw("colorize", 2);
    for (let n = 0; n < 2; n++)
      for (let p = 0; p < 16; p++) {
        const [r, g, b] = [0, 16, 32].map((c) => values[48 * n + c + p]!);
        expect((r! + g! + b!) / 3).toBeCloseTo(picture[p]!, 5);
        expect(Math.abs(r! - g!) + Math.abs(g! - b!)).toBeGreaterThan(0.01);
      }
  });

  test.each([superResolution(2), maskedFourier(frequencies)])(
    "of an observation is observed again, $name",
    async (operator) => {
      const values = await draw(operator.name, 2);
      using seen = engine.scope(() => operator.apply(engine.tensor(values, images(2))));
      using wanted = engine.scope(() => operator.apply(engine.tensor(picture, images(1))));
      const [got, expected] = await engine.readAll([seen, wanted]);
      for (const [i, value] of got!.entries()) expect(value).toBeCloseTo(expected![i % expected!.length]!, 5);
    },
  );

  test("of a blur comes near, and nearer with more iterations", async () => {
    const away = async (operator: Operator) => {
      const { x } = await inverse(operator)(2, base);
      using seen = engine.scope(() => operator.apply(x));
      using wanted = engine.scope(() => operator.apply(engine.tensor(picture, images(1))));
      const [got, expected] = await engine.readAll([seen, wanted]);
      x.dispose();
      return Math.hypot(...Array.from(got!, (v, i) => v - expected![i % 48]!));
    };
    const [once, often] = [blur([1, 2, 1]), blur([1, 2, 1], { iterations: 40 })];
    const unheld = await away({ ...once, answer: (r) => scale(r, 0) });
    expect(await away(once)).toBeLessThan(0.25 * unheld);
    expect(await away(often)).toBeLessThan(0.05 * unheld);
  });
});

test("colours in coordinates: gray is the first, and lengths stay", async () => {
  using coordinates = engine.scope(() => decouple(engine.tensor([1, 0, 2, 1, 0, 3, 1, 0, 7], [1, 3, 1, 3])));
  using back = engine.scope(() => couple(coordinates));
  const [found, again] = await engine.readAll([coordinates, back]);
  expect([...found!].map((v) => Number(v.toFixed(5)))).toEqual(
    [Math.sqrt(3), 0, 12 / Math.sqrt(3), 0, 0, 6 / Math.sqrt(6), 0, 0, -4 / Math.SQRT2].map((v) =>
      Number(v.toFixed(5)),
    ),
  );
  for (const [i, v] of [1, 0, 2, 1, 0, 3, 1, 0, 7].entries()) expect(again![i]).toBeCloseTo(v, 5);
});

test("a chain begins with what is known put in, free of noise", async () => {
  const began: Tensor[] = [];
  const onlooker = asScore((x) => {
    began.push(engine.untrack(scale(x, 1)));
    return scale(x, -1);
  });
  const known = engine.tensor(picture, [1, ...image]);
  const held = engine.tensor(mask, [4, 4]);
  const noise = (shape: Shape) => engine.zeros(shape); // steps run one by one
  (await inpaint(engine, onlooker, images(1), { ...base, known, mask: held, noise })).x.dispose();
  const values = await began[0]!.data();
  for (const [i, value] of picture.entries()) if (mask[i % 16]) expect(values[i]).toBe(value);
  expect(values.filter((value, i) => value === picture[i])).toHaveLength(3 * 6);
  for (const t of [known, held, ...began]) t.dispose();
});

test("start is where the chain begins, as it is, and what it becomes", async () => {
  using start = engine.full(images(2), 50);
  let first: ArrayLike<number> = [];
  const onStep = async ({ done, x }: { done: number; x: Tensor }) => {
    if (done === 1) first = await x.data();
  };
  const { x } = await runs["inpaint"]!(2, { ...base, start, onStep });
  expect(x).toBe(start);
  expect(first[1]).toBeGreaterThan(10); // not known
  const stop = () => {
    throw new Error("enough");
  };
  await expect(runs["inpaint"]!(2, { ...base, start, onStep: stop })).rejects.toThrow("enough");
  expect((await start.data()).length).toBe(96); // still the caller's
});

describe("refuses, before the score is asked,", () => {
  const never = asScore(() => expect.fail("the score was asked for"));
  const shape = images(2);
  const refusal = async (run: () => Promise<unknown>) => {
    const fault = await run().catch((e: unknown) => e);
    expect(fault).toBeInstanceOf(UsageError);
    return (fault as Error).message;
  };
  const filled = (of: Shape, at: number, value: number) => {
    const values = new Float32Array(of.reduce((a, b) => a * b, 1));
    values[at] = value;
    return engine.tensor(values, of);
  };

  test("masks and images that do not fit", async () => {
    const tried = (known: Tensor, held: Tensor) =>
      refusal(() => inpaint(engine, never, shape, { ...base, known, mask: held }));
    using fine = engine.zeros([4, 4]);
    using wide = engine.zeros([4, 5]);
    using more = engine.zeros([1, 2, 3, 4, 4]);
    using several = engine.zeros([3, 3, 4, 4]);
    using soft = filled([4, 4], 6, 0.5);
    using byte = filled([1, 4, 4], 2, 255);
    using missing = filled([4, 4], 3, Number.NaN);
    expect([
      await tried(wide, fine),
      await tried(fine, more),
      await tried(several, fine),
      await tried(fine, soft),
      await tried(fine, byte),
      await tried(fine, missing),
      await tried(missing, fine),
    ]).toMatchInlineSnapshot(`
      [
        "inpaint: got known [4,5] for samples [2,3,4,4], expected what stretches to them",
        "inpaint: got mask [1,2,3,4,4] for samples [2,3,4,4], expected what stretches to them",
        "inpaint: got known [3,3,4,4] for samples [2,3,4,4], expected what stretches to them",
        "inpaint: got mask 0.5 at element 6, expected 1 where the samples are known and 0 where they are to be drawn",
        "inpaint: got mask 255 at element 2, expected 1 where the samples are known and 0 where they are to be drawn",
        "inpaint: got mask NaN at element 3, expected 1 where the samples are known and 0 where they are to be drawn",
        "inpaint: got known NaN at element 3, expected finite numbers, also where the mask is 0",
      ]
    `);
  });

  test("gray images that do not fit", async () => {
    const tried = (of: Shape, gray: Tensor) => refusal(() => colorize(engine, never, of, { ...base, gray }));
    using fine = engine.zeros([1, 4, 4]);
    using two = engine.zeros([2, 4, 4]);
    using missing = filled([1, 4, 4], 3, Infinity);
    expect([
      await tried([2, 1, 4, 4], fine),
      await tried([2, 3], fine),
      await tried(shape, two),
      await tried(shape, missing),
    ]).toMatchInlineSnapshot(`
      [
        "colorize: got samples [2,1,4,4], expected [n,3,h,w]",
        "colorize: got samples [2,3], expected [n,3,h,w]",
        "colorize: got gray [2,4,4] for samples [2,3,4,4], expected what stretches to them",
        "colorize: got gray Infinity at element 3, expected finite numbers",
      ]
    `);
  });

  test("observations and operators that do not fit", async () => {
    const tried = (observed: Tensor, operator: Operator) =>
      refusal(() => solveInverse(engine, never, shape, { ...base, observed, operator }));
    using whole = engine.zeros(shape);
    using half = engine.zeros([2, 3, 2, 2]);
    using missing = filled([2, 3, 2, 2], 5, Number.NaN);
    const mended: Operator = {
      name: "mended",
      apply: (x) => scale(x, 1),
      answer: (r) => sum(r, { axis: 0 }),
    };
    expect([
      await tried(whole, superResolution(2)),
      await tried(half, superResolution(3)),
      await tried(missing, superResolution(2)),
      await tried(whole, mended),
    ]).toMatchInlineSnapshot(`
      [
        "solveInverse: got observed [2,3,4,4], expected [2,3,2,2], what superResolution gives for samples [2,3,4,4]",
        "superResolution: got images [2,3,4,4], expected sizes that 3 divides; crop them",
        "solveInverse: got observed NaN at element 5, expected finite numbers",
        "solveInverse: got an answer [3,4,4] of mended, expected [2,3,4,4], the samples' shape",
      ]
    `);
  });

  test("what predictorCorrector refuses, and gives the memory back", async () => {
    const { live } = engine.memory();
    using known = engine.zeros([4, 4]);
    const tried = (options: Partial<HeldOptions>) =>
      refusal(() => inpaint(engine, never, shape, { ...base, ...options, known, mask: known }));
    using start = engine.zeros([1, 3, 4, 4]);
    expect([
      await tried({ snr: 0 }),
      await tried({ eps: 2 }),
      await tried({ denoise: "most" as never }),
      await tried({ seed: -1 }),
      await tried({ start }),
      await tried({ sde: ve({ sigmaMin: 0.1, sigmaMax: 1, steps: 3 }), predictor: "toString" as never }),
    ]).toMatchInlineSnapshot(`
      [
        "predictorCorrector: got snr 0, expected a positive number",
        "vp: got eps 2, expected a time between 0 and 1",
        "inpaint: got denoise most, expected true, false or known",
        "random: got seed -1, expected a whole number from 0 to 2^53 - 1",
        "inpaint: got start [1,3,4,4] for samples [2,3,4,4], expected one shape",
        "predictorCorrector: got predictor toString, expected one of euler_maruyama, reverse_diffusion, ancestral_sampling, none",
      ]
    `);
    start.dispose();
    known.dispose();
    expect(engine.memory().live).toBe(live);
  });

  test("a classifier's gradient of another shape, and a strength that is no number", () => {
    const guided = classConditional(score, (x) => sum(x, { axis: 1 }));
    using x = engine.zeros(shape);
    using t = engine.zeros([2]);
    expect(() => engine.scope(() => guided(x, t))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classConditional: got a gradient [2,4,4] for x [2,3,4,4], expected one shape]`,
    );
    expect(() =>
      classConditional(score, (y) => y, { strength: Number.NaN }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classConditional: got strength NaN, expected a finite number]`,
    );
  });
});
