import {
  frechetDistance,
  inceptionScore,
  kernelDistance,
  manifoldFigures,
  momentsOf,
  slicedWasserstein,
} from "../../train/metrics/index.ts";
import type { Features, Space } from "./spaces.ts";

/** A number that tells how good samples are, beside those of other real images and of noise. */
export interface Figure {
  readonly name: string;
  /** Name of the space in which images were compared. */
  readonly features: string;
  readonly better: "lower" | "higher";
  /** Images of each kind. */
  readonly samples: number;
  /** Real images against which they were compared; none where none were. */
  readonly reference: number | null;
  readonly value: number;
  /** Of other real images, as many as samples, against the same reference; null where there are none. */
  readonly real: number | null;
  /** Of uniform noise, likewise. */
  readonly noise: number | null;
  /** Standard error of the value, or of a score its deviation over splits, where there is one. */
  readonly error?: number;
  /** Parts of the images over which a score is the mean; one if absent. */
  readonly splits?: number;
}

/** Sets of as many images each in one space, but for the whole ones. */
export interface Compared {
  readonly samples: Features;
  readonly reference: Features;
  /** Other real images. */
  readonly other: Features;
  readonly noise: Features;
  /** All samples and all real images. */
  readonly whole: { readonly samples: Features; readonly real: Features };
}

/** Fewer images than this give a Frechet distance that is not called FID: its bias would be the larger part. */
const LEAST_FOR_FID = 10_000;

/** What a Frechet distance may be called. */
export const frechetName = (space: string, samples: number, reference: number): string =>
  space === "inception" && Math.min(samples, reference) >= LEAST_FOR_FID
    ? "FID"
    : `Frechet distance (features ${space})`;

/** Images compared pair by pair, of each set at most. */
const MOST_PAIRED = 2000;

/** Frechet and kernel distance in a space, and the Inception score or what corresponds to it. */
export function distances({ name, dim }: Pick<Space, "name" | "dim">, sets: Compared): Figure[] {
  const { samples, reference, other, noise, whole } = sets;
  const moments = (f: Features) => momentsOf(f.vectors, dim);
  const against = moments(reference);
  const to = (f: Features) => frechetDistance(moments(f), against);
  const common = { features: name, samples: samples.count, reference: reference.count };
  const kernel = (f: Features) => kernelDistance(f.vectors, reference.vectors, { dim });
  const own = kernel(samples);
  const figures: Figure[] = [
    {
      ...{ name: frechetName(name, samples.count, reference.count), ...common, better: "lower" },
      ...{ value: to(samples), real: to(other), noise: to(noise) },
    },
    {
      ...{ name: name === "inception" ? "KID" : `kernel distance (features ${name})`, ...common },
      ...{ better: "lower", value: own.value, error: own.standardError },
      ...{ real: kernel(other).value, noise: kernel(noise).value },
    },
  ];
  if (samples.probabilities) figures.push(score(name, sets));
  if (whole.samples.count > samples.count || whole.real.count > reference.count)
    figures.push({
      name: frechetName(name, whole.samples.count, whole.real.count),
      ...{ features: name, samples: whole.samples.count, reference: whole.real.count, better: "lower" },
      ...{ value: frechetDistance(moments(whole.samples), moments(whole.real)), real: null, noise: null },
    });
  if (samples.probabilities && whole.samples.count > samples.count)
    figures.push({ ...score(name, { ...sets, samples: whole.samples }), real: null, noise: null });
  return figures;
}

/** Published in ten splits of 5,000 images; of few images a split would hold too few for its classes. */
const SPLITS = 10;
const LEAST_IN_SPLIT = 100;

function score(space: string, { samples, other, noise }: Compared): Figure {
  const splits = Math.max(1, Math.min(SPLITS, Math.floor(samples.count / LEAST_IN_SPLIT)));
  const of = ({ probabilities: p }: Features) => inceptionScore(p!.values, { classes: p!.classes, splits });
  const { mean, std } = of(samples);
  return {
    name: space === "inception" ? "Inception score" : `class score (features ${space})`,
    ...{ features: space, better: "higher", samples: samples.count, reference: null },
    ...{ value: mean, real: of(other).mean, noise: of(noise).mean },
    ...(splits > 1 && { error: std, splits }),
  };
}

/** Precision, recall, density and coverage in a space. */
export function manifolds({ name, dim }: Pick<Space, "name" | "dim">, sets: Compared): Figure[] {
  const count = Math.min(sets.samples.count, MOST_PAIRED);
  const part = ({ vectors }: Features) => vectors.subarray(0, count * dim);
  const of = (f: Features) => manifoldFigures(part(sets.reference), part(f), { dim });
  const [value, real, noise] = [of(sets.samples), of(sets.other), of(sets.noise)];
  return (["precision", "recall", "density", "coverage"] as const).map((figure) => ({
    name: `${figure} (features ${name})`,
    ...{ features: name, better: "higher", samples: count, reference: count },
    ...{ value: value[figure], real: real[figure], noise: noise[figure] },
  }));
}

/** Sliced Wasserstein distance between pixels, in grey levels from 0 to 1. */
export function sliced(dim: number, { samples, reference, other, noise }: Compared, seed: number): Figure {
  const to = ({ vectors }: Features) => slicedWasserstein(vectors, reference.vectors, { dim, seed });
  return {
    name: "sliced Wasserstein distance (pixels)",
    ...{ features: "pixels", better: "lower", samples: samples.count, reference: reference.count },
    ...{ value: to(samples), real: to(other), noise: to(noise) },
  };
}
