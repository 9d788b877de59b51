import type { Engine } from "../../engine/engine.ts";
import { add, scale } from "../../engine/ops/index.ts";
import { rand } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { likelihood, type Probe, rk45, type ScoreFunction } from "../../samplers/index.ts";
import type { SdeConfig } from "../config.ts";
import type { Size } from "../sampler.ts";
import { conditionOf, sdeOf } from "../score.ts";
import type { GivenImages } from "./images.ts";
import { rangeOf } from "./pixels.ts";
import { FlowWatch } from "./watch.ts";

export interface BitsRequest {
  readonly config: SdeConfig;
  readonly size: Size;
  readonly given: GivenImages;
  readonly probe: Probe;
  /** Measurements of each image, with new dequantization and a new probe each: their seeds. */
  readonly seeds: readonly number[];
  /** Images at a time. */
  readonly batch: number;
  /** Of the solver: rtol and atol. */
  readonly tolerance: number;
}

interface Bits {
  /** Bits/dim of each image, by measurement. */
  readonly measured: readonly Float64Array[];
  /** Evaluations of the score and its gradient for an image, the mean over all solutions. */
  readonly nfe: number;
}

/** The time next to the data, as published for likelihoods. */
const EPS = 1e-5;

/**
 * Bits per dimension of images in 256 grey values by the probability flow, uniformly dequantized: to (v + u) / 256 with u
 * uniform on [0, 1), where the mean over u of -log2 p bounds that of the discrete values from above (Theis et al. 2016).
 */
export async function measureBits(engine: Engine, score: ScoreFunction, request: BitsRequest): Promise<Bits> {
  const { config, given, seeds, batch, probe, tolerance } = request;
  const sde = sdeOf(config);
  const parts = Math.ceil(given.count / batch);
  const watch = new FlowWatch("likelihood", seeds.length * parts);
  let evaluations = 0;
  const measured: Float64Array[] = [];
  for (const seed of seeds) {
    const bits = new Float64Array(given.count);
    for (let from = 0; from < given.count; from += batch) {
      const count = Math.min(batch, given.count - from);
      using x = dequantized(engine, request, { from, count, seed });
      const result = await likelihood(score, x, {
        ...{ sde, probe, seed, eps: EPS },
        condition: conditionOf(config),
        solver: rk45({ rtol: tolerance, atol: tolerance }),
        sampleOffset: given.first + from,
        range: rangeOf(config),
        onStep: watch.up(sde, EPS),
      });
      result.latent.dispose();
      bits.set(result.bitsPerDim, from);
      evaluations += result.nfe * count;
    }
    measured.push(bits);
  }
  return { measured, nfe: evaluations / (seeds.length * given.count) };
}

/** Images as the network sees them, each of the 256 grey values spread over its own width. */
function dequantized(
  engine: Engine,
  { config, given, size: { c, h, w } }: BitsRequest,
  { from, count, seed }: { from: number; count: number; seed: number },
): Tensor {
  const each = c * h * w;
  const levels = given.pixels.subarray(from * each, (from + count) * each).map((v) => Math.round(255 * v));
  const shape = [count, c, h, w];
  const [low, high] = rangeOf(config);
  const perLevel = (high - low) / 256;
  return engine.untrack(
    engine.scope(() => {
      const u = rand(engine, shape, { seed, purpose: "user", sampleOffset: given.first + from });
      return add(scale(add(engine.tensor(levels, shape), u), perLevel), low);
    }),
  );
}

export interface BitsSummary {
  /** Mean over the measurements of each image. */
  readonly perImage: number[];
  readonly mean: number;
  /** Of the mean, from the differences between images; none of one image. */
  readonly standardError: number | null;
  /** Of the mean of these very images, from the differences between measurements; none of one measurement. */
  readonly measurementError: number | null;
}

export function summaryOf(measured: readonly Float64Array[]): BitsSummary {
  const [repeats, count] = [measured.length, measured[0]!.length];
  const byImage = Array.from({ length: count }, (_, i) => measured.map((bits) => bits[i]!));
  const perImage = byImage.map(mean);
  return {
    perImage,
    mean: mean(perImage),
    standardError: count > 1 ? Math.sqrt(variance(perImage) / count) : null,
    measurementError: repeats > 1 ? Math.sqrt(mean(byImage.map(variance)) / (repeats * count)) : null,
  };
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Unbiased. */
const variance = (values: readonly number[]): number => {
  const middle = mean(values);
  return values.reduce((sum, v) => sum + (v - middle) ** 2, 0) / (values.length - 1);
};
