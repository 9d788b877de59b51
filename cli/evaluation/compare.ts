import { order } from "../../data/dataset.ts";
import { UsageError } from "../../engine/errors.ts";
import { uniformStream } from "../../train/metrics/projections.ts";
import { statusLine } from "../progress.ts";
import { type Compared, distances, type Figure, manifolds, sliced } from "./figures.ts";
import { type Images, imagesOf, reordered, type Shape } from "./image-list.ts";
import { type Found, neighbourPicture, type Search, search } from "./neighbours.ts";
import { type Features, pixelSpace, type Space } from "./spaces.ts";

/** The images of an evaluation. */
interface Sets {
  /** In random order, as the real ones. */
  readonly samples: Images;
  readonly real: Images;
  readonly noise: Images;
  readonly train: Images;
  readonly heldBack: Images;
  /** Images of each kind in a comparison with baselines: the samples there are, or half of the real images. */
  readonly count: number;
}

/** Fewer images of a kind make no figure. */
const LEAST = 4;

/** How many images of each kind can be compared. Throws UsageError for too few. */
export function comparedCount(samples: number, real: number): number {
  const count = Math.min(samples, Math.floor(real / 2));
  if (count < LEAST)
    throw new UsageError(
      `evaluate: got ${samples} samples and ${real} real images, expected at least ${LEAST} samples and ${2 * LEAST} real ` +
        "images; give more --n, or hold more images back (data.heldBack), or --against train",
    );
  return count;
}

interface SetsRequest {
  readonly samples: Float32Array;
  readonly shape: Shape;
  readonly train: Images;
  readonly heldBack: Images;
  readonly against: "held-back" | "train";
  /** Of the order of samples and real images, and of the noise. */
  readonly seed: number;
}

/** Samples and real images are shuffled, so that what comes sorted by class splits into parts and blocks by chance. */
export function setsOf({ samples, shape, train, heldBack, against, seed }: SetsRequest): Sets {
  const chosen = against === "train" ? train : heldBack;
  const real = reordered(chosen, order(seed, 0, chosen.count));
  const drawn = imagesOf(samples, shape);
  const own = reordered(drawn, order(seed, 1, drawn.count));
  const count = comparedCount(own.count, real.count);
  const size = shape[0] * shape[1] * shape[2];
  const noise = imagesOf(Float32Array.from({ length: count * size }, uniformStream(seed + 1)), shape);
  const compared = against === "train" ? { train: real, heldBack } : { train, heldBack: real };
  return { samples: own, real, noise, ...compared, count };
}

/** What is found in one space, its training images aside. */
export interface Comparison {
  readonly figures: readonly Figure[];
  readonly copies: readonly Found[];
  /** nearest.png, where copies were looked for. */
  readonly picture?: Uint8Array;
}

interface CompareOptions {
  /** Compare pixels by distances too, not only features. */
  readonly pixels: boolean;
  /** Look for copies of training images. */
  readonly neighbours: boolean;
  /** Of the directions of the sliced Wasserstein distance. */
  readonly seed: number;
}

/** Compares samples with real images, and these and noise beside them, in pixels and in each space of features. */
export async function compare(
  shape: Shape,
  spaces: readonly Space[],
  sets: Sets,
  { pixels, neighbours, seed }: CompareOptions,
): Promise<Comparison> {
  const figures: Figure[] = [];
  const searches: Search[] = [];
  for (const space of [...spaces, pixelSpace(shape)]) {
    const inPixels = space.name === "pixels";
    const real = inPixels && !pixels ? firstOf(sets.real, 2 * sets.count) : sets.real;
    const whole = {
      samples: await space.features(sets.samples, "samples"),
      real: await space.features(real, "real images"),
    };
    const noise = await space.features(sets.noise, "noise");
    const compared = parted(whole, noise, sets.count, space.dim);
    statusLine(`comparing ${space.name}`);
    if (!inPixels || pixels) figures.push(...distances(space, compared));
    figures.push(...manifolds(space, compared));
    if (inPixels) figures.push(sliced(space.dim, compared, seed));
    if (neighbours) searches.push(await seek(space, whole, sets));
  }
  if (searches.length === 0) return { figures, copies: [] };
  const inOrder = searches.toReversed(); // pixels first, as they are what is looked at
  const picture = neighbourPicture(sets.samples, sets.train, inOrder);
  return { figures, copies: inOrder.map(({ found }) => found), picture };
}

const firstOf = (images: Images, count: number): Images => ({ ...images, count });

/** The first half of the real images is the reference, the others are compared with it as the samples are. */
function parted(
  whole: { samples: Features; real: Features },
  noise: Features,
  count: number,
  dim: number,
): Compared {
  const part = ({ vectors, probabilities }: Features, first: number): Features => ({
    count,
    vectors: vectors.subarray(first * dim, (first + count) * dim),
    ...(probabilities && {
      probabilities: {
        classes: probabilities.classes,
        values: probabilities.values.subarray(
          first * probabilities.classes,
          (first + count) * probabilities.classes,
        ),
      },
    }),
  });
  return {
    samples: part(whole.samples, 0),
    reference: part(whole.real, 0),
    other: part(whole.real, count),
    noise,
    whole,
  };
}

/** Features of training and held-back images are taken from those of the real ones where these are they. */
async function seek(
  space: Space,
  { samples, real }: { samples: Features; real: Features },
  { train, heldBack, real: realImages }: Sets,
): Promise<Search> {
  const of = (images: Images, what: string): Promise<Features> =>
    images === realImages && real.count === images.count
      ? Promise.resolve(real)
      : space.features(images, what);
  return search(space, {
    samples,
    heldBack: await of(heldBack, "held-back images"),
    train: await of(train, "training images"),
  });
}
