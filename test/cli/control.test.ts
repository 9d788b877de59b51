/** What the commands of control, likelihood and latent space compute, on scores in closed form. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import jpeg from "jpeg-js";
import { describe, expect, test } from "vitest";
import { type AnnealedConfig, type Config, parseConfig, type SdeConfig } from "../../cli/config.ts";
import { type BitsRequest, measureBits, summaryOf } from "../../cli/control/bits.ts";
import { drawColors, greyOf } from "../../cli/control/colorizing.ts";
import { complete } from "../../cli/control/completion.ts";
import { imageFile } from "../../cli/control/image-file.ts";
import type { GivenImages } from "../../cli/control/images.ts";
import { ladderRows } from "../../cli/control/ladder-rows.ts";
import { interpolate, latentNorms, roundTrips } from "../../cli/control/latents.ts";
import { maskOf } from "../../cli/control/mask.ts";
import { observationOf } from "../../cli/control/operator.ts";
import { largest, type Pixels, repeated, rms, spread } from "../../cli/control/pixels.ts";
import { annealingOf, type ReplacementOptions, replacementOf } from "../../cli/control/replacement.ts";
import { restoreImages } from "../../cli/control/restoring.ts";
import { sdeOf } from "../../cli/score.ts";
import { random } from "../../data/random.ts";
import { div, mul, perSample, square, sub } from "../../engine/ops/index.ts";
import { rand, randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { annealedLangevin, asScore, type ScoreFunction } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, tiny, tinyOnSde } from "./stein.ts";

const [C, H, W] = [1, 8, 8];
const size = { c: C, h: H, w: W };
const D = C * H * W;

const sdeConfig = (changes: Parameters<typeof tinyOnSde>[0] = {}) =>
  parseConfig(tinyOnSde(changes), "test") as SdeConfig;
const vp = { sde: { name: "vp", sigmaMax: undefined }, data: { centered: true } };
const ladder = parseConfig(tiny({ sampling: { stepsPerLevel: 5, epsilon: 1e-3 } }), "test") as AnnealedConfig;

/** Images in 256 grey values. */
function given(count: number, { first = 0, channels = 1, side = H } = {}): GivenImages {
  const each = channels * side ** 2;
  const pixels = Float32Array.from(
    { length: count * each },
    (_, i) => random(5, first * each + i).below(256) / 255,
  );
  return { pixels, count, first, source: "noise" };
}

/** Elements that are each N(mean, variance) without noise, in the network's units. */
const law = { mean: 0.4, variance: 0.09 };

/** The score of such elements for networks on an SDE of a configuration, which are told what the SDE tells them. */
function gaussianScore(config: SdeConfig): ScoreFunction {
  const sde = sdeOf(config);
  const perTime = 1 / sde.conditionAt(1);
  const marginal = (condition: Tensor) =>
    sde.name === "ve" ? { alpha: undefined, std: condition } : sde.marginal(mul(condition, perTime));
  return asScore((x, condition) => {
    const { alpha, std } = marginal(condition);
    const mean = alpha ? mul(perSample(alpha, x), law.mean) : law.mean;
    const clean = alpha ? mul(square(alpha), law.variance) : law.variance;
    const noise = square(std);
    const variance = alpha ? sub(clean as Tensor, mul(noise, -1)) : sub(noise, -law.variance);
    return div(sub(mean, x), perSample(variance, x));
  });
}

/** On a ladder: labels 0, 1, 2 of sigma 1, 0.316, 0.1, taken all as the middle one. */
const ladderScore = asScore((x) => mul(sub(law.mean, x), 1 / (law.variance + 0.1)));

const replacement = (config: SdeConfig, options: ReplacementOptions = {}) =>
  replacementOf("test", config, { seed: 3, ...options });

test("one image is a PNG or a JPEG file, whatever its name ends with", () => {
  const folder = newFolder();
  const grey = new Uint8Array(10 * 8).fill(200);
  const rgba = Uint8Array.from({ length: 10 * 8 * 4 }, () => 200);
  writeFileSync(join(folder, "a.png"), encode({ width: 10, height: 8, channels: 1, depth: 8, data: grey }));
  writeFileSync(join(folder, "b.png"), jpeg.encode({ width: 10, height: 8, data: rgba }, 90).data);
  for (const name of ["a.png", "b.png"]) {
    const values = new Float32Array(16);
    imageFile(join(folder, name), { size: 4, channels: 1 }).image(0, values, 0);
    for (const value of values) expect(value).toBeCloseTo(200 / 255, 2);
  }
  removeFolders();
});

test("a mask's file hides what is not white", () => {
  const folder = newFolder();
  const path = join(folder, "mask.png");
  const colours = [
    [255, 255, 255],
    [255, 0, 0],
    [255, 255, 0],
    [0, 0, 0],
    [200, 200, 200],
    [0, 0, 255],
  ];
  const data = Uint8Array.from([...colours, ...colours, ...colours].flat());
  writeFileSync(path, encode({ width: 6, height: 3, channels: 3, depth: 8, data }));
  expect([...maskOf(path, { h: 3, w: 6 }, 0)]).toEqual([
    1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0,
  ]);
  removeFolders();
});

describe("inpainting", () => {
  const mask = maskOf("random:0.5", size, 1);
  const kinds: [string, Config, ScoreFunction, Parameters<typeof complete>[2]["sampler"]][] = [
    ["on the VE SDE", sdeConfig(), gaussianScore(sdeConfig()), replacement(sdeConfig())],
    [
      "with steps that each sample's own norms decide",
      sdeConfig(),
      gaussianScore(sdeConfig()),
      replacement(sdeConfig(), { corrector: "langevin" }),
    ],
    ["on the VP SDE", sdeConfig(vp), gaussianScore(sdeConfig(vp)), replacement(sdeConfig(vp))],
    ["on a ladder, by level", ladder, ladderScore, { ...annealingOf(ladder, { seed: 3 }), redraw: "level" }],
    ["on a ladder, by step", ladder, ladderScore, { ...annealingOf(ladder, { seed: 3 }), redraw: "step" }],
  ];

  test.each(kinds)(
    "%s keeps the known pixels to the last bit and draws the others, by image whatever is beside it",
    async (_, config, score, sampler) => {
      const n = 3;
      const of = (images: GivenImages) =>
        complete(engine, score, { config, size, given: images, n, mask, sampler });
      const images = given(3);
      const all = await of(images);
      const known = repeated(images.pixels, 3, n);
      const hidden = (i: number) => mask[i % D] === 0;
      for (const [i, value] of all.entries()) if (!hidden(i)) expect(value).toBe(known[i]);
      expect(spread(all, { count: 3, n }, hidden)).toBeGreaterThan(0.05);
      expect(rms(all, known, hidden)).toBeGreaterThan(0.1);
      expect([...(await of(given(2, { first: 1 })))]).toEqual([...all.subarray(n * D)]);
    },
  );
});

describe("restoration", () => {
  const config = sdeConfig();
  const images = given(2);
  const restored = (operator: string, own = config, options: ReplacementOptions = {}) =>
    restoreImages(engine, gaussianScore(own), {
      ...{ config: own, size, given: images, n: 2 },
      observation: observationOf(operator, size, 3),
      sampler: replacement(own, options),
    });

  test("of means over blocks has just those means, in float64 on the host", async () => {
    const { pixels, observed, relative } = await restored("superres:4");
    const blockMean = (of: Pixels, image: number, y: number, x: number) => {
      let sum = 0;
      for (let i = 0; i < 16; i++) sum += of[image * D + (4 * y + (i >> 2)) * W + 4 * x + (i & 3)]!;
      return sum / 16;
    };
    for (let k = 0; k < 4; k++)
      for (const [y, x] of [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ] as const) {
        const seen = blockMean(images.pixels, k >> 1, y, x);
        expect(Math.abs(blockMean(pixels, k, y, x) - seen)).toBeLessThan(2e-6);
        expect(observed[(k >> 1) * D + 4 * y * W + 4 * x]).toBeCloseTo(seen, 5);
      }
    expect(relative).toBeLessThan(2e-6);
    expect(spread(pixels, { count: 2, n: 2 })).toBeGreaterThan(0.05);
  });

  test("of all frequencies gives the images back; of half of them what they tell", async () => {
    const whole = await restored("fourier:1");
    expect(largest(whole.pixels, repeated(images.pixels, 2, 2))).toBeLessThan(1e-5);
    const half = await restored("fourier:0.5");
    expect(half.relative).toBeLessThan(2e-6);
    expect(rms(half.pixels, repeated(images.pixels, 2, 2))).toBeGreaterThan(0.05);
  });

  test("a blur of sigma spreads a point by sigma along either axis", async () => {
    const { operator } = observationOf("blur:0.9", { c: 1, h: 15, w: 15 }, 3);
    using point = engine.tensor(
      Float32Array.from({ length: 225 }, (_, i) => (i === 112 ? 1 : 0)),
      [1, 1, 15, 15],
    );
    using seen = engine.scope(() => operator.apply(point));
    const values = [...(await seen.data())];
    const moment = (f: (y: number, x: number) => number) =>
      values.reduce((sum, v, i) => sum + v * f(Math.floor(i / 15) - 7, (i % 15) - 7), 0);
    expect(moment(() => 1)).toBeCloseTo(1, 5);
    expect(Math.sqrt(moment((y) => y * y))).toBeCloseTo(0.9, 2);
    expect(Math.sqrt(moment((_, x) => x * x))).toBeCloseTo(0.9, 2);
  });

  test("of a blur comes near its observation", async () => {
    const { relative, residual } = await restored("blur:0.7");
    expect(relative).toBeLessThan(5e-3);
    expect(residual.shown).toBeGreaterThan(residual.drawn); // clamping moves it away
  });

  test("counts the residual of centered images in grey levels too", async () => {
    const { residual, relative } = await restored("blur:0.7", sdeConfig(vp), { corrector: "none" });
    expect(relative).toBeLessThan(0.1); // what a blur hardly leaves anything of comes back slowly
    expect(relative).toBeGreaterThan(1e-6);
    const observed = relative * 8; // |y|, of 64 values in [-1, 1], is at most 8
    expect(residual.drawn).toBeLessThan(observed / 2);
  });
});

describe("colorization", () => {
  test("draws colours of just the grey values that were given", async () => {
    const config = sdeConfig({ data: { channels: 3 } });
    const images = given(2, { channels: 3 });
    const grey = greyOf(images.pixels, 2);
    expect(grey[W]).toBeCloseTo(
      (images.pixels[W]! + images.pixels[W + H * W]! + images.pixels[W + 2 * H * W]!) / 3,
      6,
    );
    const colored = await drawColors(engine, gaussianScore(config), {
      ...{ config, size: { c: 3, h: H, w: W }, given: images, n: 2, grey },
      sampler: replacement(config),
    });
    expect(largest(greyOf(colored, 4), repeated(grey, 2, 2))).toBeLessThan(2e-6);
    expect(spread(colored, { count: 2, n: 2 })).toBeGreaterThan(0.05);
  });
});

/** The flow of Gaussian elements from time `from` to time `to`: linear, and so is its log determinant. */
function gaussianFlow(config: SdeConfig, from: number, to: number) {
  const at = (t: number) => {
    const { alpha, std } = sdeOf(config).marginalAt(t);
    return { mean: alpha * law.mean, std: Math.sqrt(alpha ** 2 * law.variance + std ** 2) };
  };
  const [a, b] = [at(from), at(to)];
  return { of: (x: number) => b.mean + ((x - a.mean) * b.std) / a.std, growth: b.std / a.std };
}

describe("likelihood", () => {
  const request = (config: SdeConfig, changes: Partial<BitsRequest> = {}): BitsRequest => ({
    ...{ config, size, given: given(3, { first: 2 }) },
    ...{ probe: "rademacher", seeds: [7], batch: 64, tolerance: 1e-5 },
    ...changes,
  });

  /** -log2 p / D + log2(256 / width) in float64. */
  async function closedForm(request: BitsRequest, seed: number): Promise<number[]> {
    const { config, given: images } = request;
    const { c, h, w } = request.size;
    const D = c * h * w;
    const u = await rand(engine, [3, c, h, w], { seed, purpose: "user", sampleOffset: 2 }).data();
    const { priorStd } = sdeOf(config);
    const flow = gaussianFlow(config, 1e-5, 1);
    const centered = config.data.centered === true;
    return Array.from({ length: 3 }, (_, image) => {
      let nats = 0;
      for (let i = image * D; i < (image + 1) * D; i++) {
        const v = (Math.round(255 * images.pixels[i]!) + u[i]!) / 256;
        const z = flow.of(centered ? 2 * v - 1 : v);
        nats +=
          -0.5 * (z / priorStd) ** 2 - 0.5 * Math.log(2 * Math.PI * priorStd ** 2) + Math.log(flow.growth);
      }
      return -nats / (D * Math.LN2) + (centered ? 7 : 8);
    });
  }

  const small = { size: { c: C, h: 2, w: 2 }, given: given(3, { first: 2, side: 2 }) };
  test.each([
    ["VE, rademacher", request(sdeConfig())],
    ["VE, exact", request(sdeConfig(), { ...small, probe: "exact" })],
    ["VP of centered images, rademacher", request(sdeConfig(vp))],
  ] as const)("%s is that of the closed form", async (_, asked) => {
    const { measured, nfe } = await measureBits(engine, gaussianScore(asked.config), asked);
    const expected = await closedForm(asked, 7);
    for (const [i, bits] of measured[0]!.entries()) expect(Math.abs(bits - expected[i]!)).toBeLessThan(2e-3);
    expect(nfe).toBeGreaterThan(20);
  });

  test("in batches and by several seeds is that of each seed alone", async () => {
    const config = sdeConfig();
    const score = gaussianScore(config);
    const asked = request(config, { seeds: [7, 8], batch: 2 });
    const { measured } = await measureBits(engine, score, asked);
    for (const [r, seed] of [7, 8].entries()) {
      const expected = await closedForm(asked, seed);
      for (const [i, bits] of measured[r]!.entries())
        expect(Math.abs(bits - expected[i]!)).toBeLessThan(2e-3);
    }
    expect(measured[0]![0]).not.toBe(measured[1]![0]);
  });

  test("a summary: means, and errors over images and over measurements", () => {
    const summary = summaryOf([Float64Array.of(1, 3), Float64Array.of(2, 4)]);
    expect(summary.perImage).toEqual([1.5, 3.5]);
    expect(summary.mean).toBe(2.5);
    expect(summary.standardError).toBeCloseTo(1, 12); // sd of (1.5, 3.5) is sqrt 2, over sqrt 2
    expect(summary.measurementError).toBeCloseTo(Math.sqrt(0.5 / 4), 12); // variance 0.5 of each, of 4
    const one = summaryOf([Float64Array.of(3)]);
    expect([one.mean, one.standardError, one.measurementError]).toEqual([3, null, null]);
  });
});

describe("latent space", () => {
  const tolerance = 1e-5;

  test.each([
    ["VE", sdeConfig()],
    ["VP of centered images", sdeConfig(vp)],
  ])("%s: latents are those of the closed form, and come back", async (_, config) => {
    const images = given(3);
    const { latents, back, nfe } = await roundTrips(engine, gaussianScore(config), {
      ...{ config, size, given: images, batch: 2, tolerance },
    });
    const flow = gaussianFlow(config, sdeOf(config).samplingEps, 1);
    const { priorStd } = sdeOf(config);
    const seen = (v: number) => (config.data.centered ? 2 * v - 1 : v);
    for (const [i, z] of latents.entries())
      expect(Math.abs(z - flow.of(seen(images.pixels[i]!)))).toBeLessThan(2e-3 * priorStd);
    expect(largest(back, images.pixels)).toBeLessThan(1e-3);
    for (const evaluations of [nfe.up, nfe.down]) expect(evaluations).toBeGreaterThan(10);

    const [norm] = latentNorms(latents, 3, config);
    const squares = latents.subarray(0, D).reduce((sum, z) => sum + z ** 2, 0);
    expect(norm).toBeCloseTo(Math.sqrt(squares) / (priorStd * Math.sqrt(D)), 6);
  });

  test("rows of seeds go along the arc between their latents", async () => {
    const config = sdeConfig({ sampling: { denoise: false } });
    const [rows, steps, temperature] = [2, 3, 0.8];
    const { pixels } = await interpolate(engine, gaussianScore(config), {
      ...{ config, size, tolerance, steps },
      ends: { seeds: [4, 9], rows, temperature },
    });
    const sde = sdeOf(config);
    const latents = async (seed: number) =>
      [...(await randn(engine, [rows, C, H, W], { seed, purpose: "prior" }).data())].map(
        (z) => temperature * sde.priorStd * z,
      );
    const [a, b] = [await latents(4), await latents(9)];
    const flow = gaussianFlow(config, 1, sde.samplingEps);
    for (let row = 0; row < rows; row++) {
      const own = (z: number[]) => z.slice(row * D, (row + 1) * D);
      const dot = (p: number[], q: number[]) => p.reduce((sum, v, i) => sum + v * q[i]!, 0);
      const [p, q] = [own(a), own(b)];
      const angle = Math.acos(dot(p, q) / Math.sqrt(dot(p, p) * dot(q, q)));
      for (const [k, weight] of [0, 0.5, 1].entries())
        for (let i = 0; i < D; i++) {
          const z =
            (Math.sin((1 - weight) * angle) * p[i]! + Math.sin(weight * angle) * q[i]!) / Math.sin(angle);
          expect(Math.abs(pixels[(row * steps + k) * D + i]! - flow.of(z))).toBeLessThan(1e-3);
        }
    }
  });

  test("rows of images begin and end with them", async () => {
    const config = sdeConfig(vp);
    const [from, to] = [given(2), given(2, { first: 4 })];
    const { pixels } = await interpolate(engine, gaussianScore(config), {
      ...{ config, size, tolerance, steps: 3 },
      ends: { images: [from, to] },
    });
    const at = (row: number, k: number) => pixels.slice((row * 3 + k) * D, (row * 3 + k + 1) * D);
    for (let row = 0; row < 2; row++) {
      const image = ({ pixels: own }: GivenImages) => own.slice(row * D, (row + 1) * D);
      expect(largest(at(row, 0), image(from))).toBeLessThan(1e-3);
      expect(largest(at(row, 2), image(to))).toBeLessThan(1e-3);
      expect(rms(at(row, 1), image(from))).toBeGreaterThan(0.05);
    }
  });

  test("rows on a ladder: neighbours are nearer to each other than the ends, and a seed gives the same", async () => {
    const draw = () =>
      ladderRows(engine, ladderScore, {
        ...{ config: ladder, size, sampler: annealingOf(ladder, { seed: 3 }), rows: 2, steps: 5 },
      });
    const { pixels } = await draw();
    const image = (k: number) => pixels.slice(k * D, (k + 1) * D);
    expect(pixels.length).toBe(10 * D);
    for (const row of [0, 5])
      expect(rms(image(row), image(row + 1))).toBeLessThan(0.6 * rms(image(row), image(row + 4)));
    expect([...(await draw()).pixels]).toEqual([...pixels]);
  });

  test.each([
    [true, "uniform"],
    [false, "normal"],
  ] as const)(
    "a row on a ladder begins with the image of its seed, denoise %s, prior %s",
    async (denoise, prior) => {
      const sampling = { stepsPerLevel: 5, epsilon: 1e-3, prior };
      const own = parseConfig(tiny({ sigmas: { begin: 0.5 }, sampling }), "test") as AnnealedConfig;
      const sampler = annealingOf(own, { seed: 3, denoise });
      const { pixels, nfe } = await ladderRows(engine, ladderScore, {
        ...{ config: own, size, sampler, rows: 1, steps: 2 },
      });
      let asked = 0;
      const counted = asScore((x, labels) => {
        asked++;
        return ladderScore(x, labels);
      });
      const noise = (shape: readonly number[]) =>
        randn(engine, shape, { seed: 3, purpose: "sampler", step: asked - 1 });
      const x = await annealedLangevin(engine, counted, [1, C, H, W], {
        ...sampler,
        noise,
        prior,
      });
      expect(asked).toBe(nfe);
      expect(largest(pixels.subarray(0, D), (await x.data()) as Pixels)).toBeLessThan(1e-5);
      x.dispose();
    },
  );
});
