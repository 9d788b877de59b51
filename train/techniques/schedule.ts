import { UsageError } from "../../engine/errors.ts";
import { geometricSigmas } from "../sigmas.ts";
import { type Ladder, ladderFor, levelOverlap } from "./ladder.ts";
import { stepSizeFor, stepsWithin, varianceRatio } from "./step-size.ts";

export interface ScheduleRequest {
  /** sigma_1, the largest noise scale: the largest distance of two images. */
  begin: number;
  /** sigma_L, the smallest; 0.01 unless told, for images in [0, 1]. */
  end?: number;
  /** D, elements of an image. */
  dimensions: number;
  /** Of neighbouring scales; 0.5 unless told. The published ladders sit at 0.567. */
  overlap?: number;
  /** T, Langevin steps at each scale. As published unless told: 5, or fewer within 3,500 evaluations, but not below 3. */
  steps?: number | undefined;
  /** Evaluations of the network for an image, in place of `steps`: T is as large as they allow. */
  budget?: number | undefined;
}

export interface Level {
  readonly sigma: number;
  /** alpha_i = epsilon sigma_i^2 / sigma_L^2. */
  readonly stepSize: number;
  /** With the scale before; the first has none. */
  readonly overlap?: number;
  /** s_T^2 / sigma^2 for samples of the scale before; the first has none. */
  readonly varianceRatio?: number;
}

/** Noise scales and sampling of a network by techniques 1, 2 and 4 of Song & Ermon 2020. */
export interface Schedule extends Ladder {
  readonly dimensions: number;
  /** At every scale. */
  readonly overlap: number;
  readonly steps: number;
  readonly epsilon: number;
  /** At every scale. */
  readonly varianceRatio: number;
  /** Evaluations of the network for an image, with the last denoising step. */
  readonly nfe: number;
  readonly levels: readonly Level[];
}

/** Digits of epsilon, as published: the variance hardly depends on more. */
const DIGITS = 2;

/** Throws UsageError for what is out of range, and for a budget that does not reach each scale once. */
export function designSchedule(request: ScheduleRequest): Schedule {
  const { begin, end = 0.01, dimensions, overlap = 0.5, steps, budget } = request;
  if (steps !== undefined && budget !== undefined)
    throw new UsageError(`schedule: got steps ${steps} and budget ${budget}, expected one of the two`);
  const ladder = ladderFor(begin, end, overlap, dimensions);
  const { gamma, count } = ladder;
  const taken = steps ?? (budget === undefined ? usualSteps(count) : stepsWithin(budget, count));
  const level = { gamma, steps: taken };
  const epsilon = Number(stepSizeFor(level, end).toPrecision(DIGITS));
  return {
    ...ladder,
    dimensions,
    overlap: levelOverlap(gamma, dimensions),
    steps: taken,
    epsilon,
    varianceRatio: varianceRatio(level, epsilon / end ** 2),
    nfe: taken * count + 1,
    levels: levelsOf(ladder, { dimensions, steps: taken, epsilon }),
  };
}

/** T of all published ladders, by their lengths. */
const usualSteps = (count: number): number => Math.max(3, Math.min(5, Math.floor(3500 / count)));

interface Sampling {
  dimensions: number;
  steps: number;
  epsilon: number;
}

/** Each scale with its own ratio to the one before. */
function levelsOf(ladder: Ladder, { dimensions, steps, epsilon }: Sampling): Level[] {
  const sigmas = geometricSigmas(ladder);
  const u = epsilon / ladder.end ** 2;
  return sigmas.map((sigma, i) => {
    const stepSize = u * sigma ** 2;
    if (i === 0) return { sigma, stepSize };
    const gamma = sigmas[i - 1]! / sigma;
    return {
      ...{ sigma, stepSize },
      overlap: levelOverlap(gamma, dimensions),
      varianceRatio: varianceRatio({ gamma, steps }, u),
    };
  });
}
