import type { Engine } from "../../engine/engine.ts";
import { add, scale } from "../../engine/ops/index.ts";
import { rand } from "../../engine/random.ts";
import { likelihood, type ScoreFunction } from "../../samplers/index.ts";
import type { SdeConfig } from "../config.ts";
import { Progress } from "../progress.ts";
import { conditionOf, sdeOf } from "../score.ts";
import { type Images, pixelsOf } from "./image-list.ts";

export interface BitsReport {
  /** -log2 p(x) / D of images in 256 grey values, the mean over the images. */
  readonly bitsPerDim: number;
  /** Of the mean, from the differences between images; null for one image. */
  readonly standardError: number | null;
  /** Held-back images. */
  readonly images: number;
  /** Evaluations of the score and its gradient for an image, the most of all batches. */
  readonly nfe: number;
  readonly solver: string;
  readonly probe: string;
  readonly eps: number;
  readonly seed: number;
}

/** The time next to the data, as published for likelihoods. */
const EPS = 1e-5;

/**
 * Bits per dimension of the first `count` images by the probability flow, uniformly dequantized to (v + u) / 256, which
 * bounds those of the 256 grey values v from above (Theis et al. 2016; Song et al. 2021, section 4.3).
 */
export async function measureBits(
  engine: Engine,
  score: ScoreFunction,
  config: SdeConfig,
  images: Images,
  { count, batch, seed }: { count: number; batch: number; seed: number },
): Promise<BitsReport> {
  const range = config.data.centered ? ([-1, 1] as const) : ([0, 1] as const);
  const [low, high] = range;
  const sde = sdeOf(config);
  const progress = new Progress("likelihood, images", count);
  const bits = new Float64Array(count);
  let nfe = 0;
  for (let first = 0; first < count; first += batch) {
    progress.update(first);
    const n = Math.min(batch, count - first);
    const shape = [n, images.channels, images.height, images.width];
    const levels = pixelsOf(images, first, n).map((v) => Math.round(255 * v));
    const x = engine.untrack(
      engine.scope(() => {
        const u = rand(engine, shape, { seed, purpose: "user", sampleOffset: first });
        return add(scale(add(engine.tensor(levels, shape), u), (high - low) / 256), low);
      }),
    );
    const result = await likelihood(score, x, {
      ...{ sde, condition: conditionOf(config), seed, eps: EPS, sampleOffset: first, range },
      onStep: ({ t, nfe }) => progress.update(first, `t ${t.toPrecision(2)}, ${nfe} evaluations`),
    });
    for (const t of [x, result.latent]) t.dispose();
    bits.set(result.bitsPerDim, first);
    nfe = Math.max(nfe, result.nfe);
  }
  progress.update(count);
  const mean = bits.reduce((a, b) => a + b, 0) / count;
  const squares = bits.reduce((sum, b) => sum + (b - mean) ** 2, 0);
  return {
    ...{ bitsPerDim: mean, standardError: count > 1 ? Math.sqrt(squares / (count - 1) / count) : null },
    ...{ images: count, nfe, solver: "rk45", probe: "rademacher", eps: EPS, seed },
  };
}
