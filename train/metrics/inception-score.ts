import { UsageError } from "../../engine/errors.ts";
import { countVectors } from "./vectors.ts";

export interface InceptionScore {
  /** Over the splits: from 1, all images alike to the classifier, to the number of classes. */
  readonly mean: number;
  /** Over the splits, of divisor splits, as published. */
  readonly std: number;
  readonly splits: number;
}

/**
 * exp E KL(p(y|x) || p(y)) of class probabilities [n, classes], over n / splits images after the other: sure of each
 * image and of all classes is best. It knows no real images. Salimans et al. 2016, section 4. Throws UsageError on
 * shapes, values not finite and fewer images than splits.
 */
export function inceptionScore(
  probabilities: Float32Array,
  { classes, splits = 10 }: { classes: number; splits?: number },
): InceptionScore {
  const n = countVectors("inceptionScore", "probabilities", probabilities, classes);
  if (!Number.isInteger(splits) || splits < 1 || splits > n)
    throw new UsageError(
      `inceptionScore: got ${splits} splits of ${n} images, expected a whole number of them from 1 to ${n}`,
    );
  const bound = (k: number) => Math.floor((k * n) / splits) * classes;
  const scores = Array.from({ length: splits }, (_, k) =>
    Math.exp(divergence(probabilities.subarray(bound(k), bound(k + 1)), classes)),
  );
  const mean = scores.reduce((sum, s) => sum + s, 0) / splits;
  const squares = scores.reduce((sum, s) => sum + (s - mean) ** 2, 0);
  return { mean, std: Math.sqrt(squares / splits), splits };
}

/** Mean over the rows of their Kullback-Leibler divergence from the mean row, in nats; 0 log 0 is 0. */
function divergence(rows: Float32Array, classes: number): number {
  const n = rows.length / classes;
  const marginal = new Float64Array(classes);
  rows.forEach((p, i) => {
    marginal[i % classes]! += p / n;
  });
  let sum = 0;
  rows.forEach((p, i) => {
    if (p > 0) sum += p * Math.log(p / marginal[i % classes]!);
  });
  return sum / n;
}
