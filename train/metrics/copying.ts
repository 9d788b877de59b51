import { UsageError } from "../../engine/errors.ts";
import { upperMedian } from "./vectors.ts";

export interface Copying {
  /** Median distance to the nearest training image. */
  readonly median: { readonly samples: number; readonly heldBack: number };
  /** Chance that a sample lies nearer to its training image than a held-back image to its own: 0.5 without copying. */
  readonly nearer: number;
  /**
   * How many standard deviations of chance `nearer` is off 0.5: far above 3 the samples hug the training images, far
   * below -3 they keep away from the data.
   */
  readonly z: number;
  /** Distances compared. */
  readonly count: { readonly samples: number; readonly heldBack: number };
}

/**
 * Whether samples are copies of training images, by the distances of each to its nearest training image, held against
 * those of images that were never trained on: the test of Mann & Whitney, as Meehan et al. 2020 (section 3) put it to
 * this use, without their cells. Their statistic is -z. samples [n], heldBack [m], in one unit. Throws
 * UsageError without distances of either.
 */
export function copying(samples: Float64Array, heldBack: Float64Array): Copying {
  const [n, m] = [samples.length, heldBack.length];
  if (n === 0 || m === 0)
    throw new UsageError(
      `copying: got ${n} distances of samples and ${m} of held-back images, expected at least one of each`,
    );
  const sorted = heldBack.slice().sort();
  let wins = 0;
  for (const distance of samples) {
    const [below, upTo] = [countBelow(sorted, distance), countUpTo(sorted, distance)];
    wins += m - upTo + 0.5 * (upTo - below); // a tie counts half
  }
  const deviation = Math.sqrt((n * m * (n + m + 1)) / 12);
  return {
    median: { samples: upperMedian(samples), heldBack: upperMedian(heldBack) },
    nearer: wins / (n * m),
    z: (wins - (n * m) / 2) / deviation,
    count: { samples: n, heldBack: m },
  };
}

const countBelow = (sorted: Float64Array, value: number) => firstWhere(sorted, (other) => other >= value);
const countUpTo = (sorted: Float64Array, value: number) => firstWhere(sorted, (other) => other > value);

/** The first place from which on an ascending list is as told. */
function firstWhere(sorted: Float64Array, told: (value: number) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (told(sorted[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
