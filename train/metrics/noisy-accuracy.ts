import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { add, logSoftmax, scale } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { NoisyClassifier } from "../../models/classifier.ts";

export interface NoisyAccuracyOptions {
  /** How many images, and the shape of one, [c,h,w]. */
  count: number;
  shape: readonly number[];
  /** Writes images i to i + n - 1 in [0, 1] into out, [n,c,h,w]. */
  fill: (i: number, n: number, out: Float32Array) => void;
  classOf: (i: number) => number;
  /** Deviations of the noise; 0 is none, of which the classifier is told `told`. */
  sigmas: readonly number[];
  /** The least noise that the classifier was trained on: what it is told of less. */
  told: number;
  /** Of the noise, which is the same however the images are batched. */
  seed: number;
  /** Images at once; 250 unless told. */
  batch?: number;
  onProgress?: (done: number, total: number) => void;
}

export interface NoisyAccuracy {
  readonly sigma: number;
  /** Share of the images whose class is the likeliest. */
  readonly accuracy: number;
  /** Mean of -log p(y | x) in nats. */
  readonly crossEntropy: number;
}

/** How well a classifier knows images through noise, for each noise scale. Throws UsageError for none of either. */
export async function noisyAccuracy(
  engine: Engine,
  classifier: NoisyClassifier,
  options: NoisyAccuracyOptions,
): Promise<NoisyAccuracy[]> {
  const { count, shape, fill, classOf, sigmas, told, seed, batch = 250, onProgress } = options;
  if (count < 1 || sigmas.length === 0)
    throw new UsageError(
      `noisyAccuracy: got ${count} images at ${sigmas.length} noise scales, expected at least one of each`,
    );
  const sums = sigmas.map(() => ({ right: 0, nats: 0 }));
  const size = shape.reduce((a, b) => a * b, 1);
  for (let first = 0; first < count; first += batch) {
    const n = Math.min(batch, count - first);
    const values = new Float32Array(n * size);
    fill(first, n, values);
    for (const [level, sigma] of sigmas.entries()) {
      const logProbs = engine.scope(() =>
        engine.noGrad(() => {
          const x = engine.tensor(values, [n, ...shape]);
          const z = randn(engine, x.shape, { seed, purpose: "perturb", step: level, sampleOffset: first });
          const noisy = sigma === 0 ? x : add(x, scale(z, sigma));
          return logSoftmax(classifier(noisy, engine.full([n], Math.max(sigma, told))));
        }),
      );
      const rows = await logProbs.data();
      const classes = logProbs.dim(1);
      logProbs.dispose();
      for (let i = 0; i < n; i++) {
        const row = rows.subarray(i * classes, (i + 1) * classes);
        const own = row[classOf(first + i)]!;
        if (row.every((v, k) => v < own || k === classOf(first + i))) sums[level]!.right++;
        sums[level]!.nats -= own;
      }
    }
    onProgress?.(first + n, count);
  }
  return sums.map(({ right, nats }, level) => ({
    sigma: sigmas[level]!,
    accuracy: right / count,
    crossEntropy: nats / count,
  }));
}
