import { nearestDistances } from "./nearest.ts";
import { uniformStream } from "./projections.ts";
import { slicedWasserstein } from "./sliced-wasserstein.ts";
import { countVectors, upperMedian } from "./vectors.ts";

export interface SampleQualityOptions {
  /** Images drawn by the model, [n, dim] in [0, 1]. */
  samples: Float32Array;
  /** Images never trained on, [m, dim] in [0, 1]; m = 2n uses all samples. */
  heldBack: Float32Array;
  /** Images trained on, [k, dim] in [0, 1]; with them copies are looked for, in time n k dim. */
  train?: Float32Array;
  /** Values of an image: channels * height * width. */
  dim: number;
  /** Random directions averaged over; 256 unless told. */
  projections?: number;
  /** A whole number; 0 unless told. */
  seed?: number;
}

export interface SampleQuality {
  /**
   * Sliced 2-Wasserstein distances to one half of the held-back images, in grey levels from 0 to 1. All three
   * compare equally many images, since the distance shrinks with their number.
   */
  slicedWasserstein: {
    /** The model's images: the number to be made small. */
    samples: number;
    /** Uniform noise on [0, 1], the ceiling: what a sampler that has learned nothing reaches. */
    noise: number;
    /** The other half of the held-back images, the floor: what another draw of the data itself reaches. */
    data: number;
  };
  /**
   * Share of the way from noise to data that the samples have come, in percent: 0 at noise, 100 at data. Not
   * clamped: below 0 is worse than noise, a little above 100 is chance. The way is long: blank pictures of
   * digits already score 27, so read the last few percent. It sees no copying: nearestTrain does.
   */
  score: number;
  /**
   * Median distance to the nearest training image, |x - y| over sqrt(dim), of samples and of held-back
   * images; only with train. A model that generalises has about the same of both; samples far nearer are
   * copies.
   */
  nearestTrain?: { samples: number; heldBack: number };
  /** Images compared each time: n, or m/2 if that is less. */
  count: number;
}

/** Measures samples against data the model never saw. Throws UsageError on shapes, values not finite and options out of range. */
export function sampleQuality(options: SampleQualityOptions): SampleQuality {
  const { samples, heldBack, train, dim, projections = 256, seed = 0 } = options;
  const n = countVectors("sampleQuality", "samples", samples, dim);
  const m = countVectors("sampleQuality", "heldBack", heldBack, dim, 2);
  const count = Math.min(n, Math.floor(m / 2));

  const uniform = uniformStream(seed);
  const [reference, second] = halves(heldBack, count, dim, uniform);
  const drawn = samples.subarray(0, count * dim);
  const noise = Float32Array.from({ length: count * dim }, uniform);

  const distance = (to: Float32Array) => slicedWasserstein(to, reference, { dim, projections, seed });
  const slices = { samples: distance(drawn), noise: distance(noise), data: distance(second) };
  const score = (100 * (slices.noise - slices.samples)) / (slices.noise - slices.data);
  if (train === undefined) return { slicedWasserstein: slices, score, count };

  countVectors("sampleQuality", "train", train, dim);
  const nearest = (images: Float32Array) =>
    upperMedian(nearestDistances(images, train, dim)) / Math.sqrt(dim);
  return {
    ...{ slicedWasserstein: slices, score, count },
    nearestTrain: { samples: nearest(drawn), heldBack: nearest(reference) },
  };
}

/** Two disjoint sets of count vectors, chosen at random, so that sets sorted by class split evenly. */
function halves(
  vectors: Float32Array,
  count: number,
  dim: number,
  uniform: () => number,
): [Float32Array, Float32Array] {
  const rank = Float64Array.from({ length: vectors.length / dim }, uniform);
  const shuffled = Array.from(rank.keys()).sort((i, j) => rank[i]! - rank[j]!);
  const gather = (indices: number[]) => {
    const out = new Float32Array(count * dim);
    for (const [k, i] of indices.entries()) out.set(vectors.subarray(i * dim, (i + 1) * dim), k * dim);
    return out;
  };
  return [gather(shuffled.slice(0, count)), gather(shuffled.slice(count, 2 * count))];
}
