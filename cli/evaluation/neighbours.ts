import { type Copying, copying, type Neighbours, nearestNeighbours } from "../../train/metrics/index.ts";
import { grid } from "../pictures/png.ts";
import { GAP_SHADE } from "../pictures/tile.ts";
import { Progress } from "../progress.ts";
import { type Images, pixelsOf } from "./image-list.ts";
import type { Features, Space } from "./spaces.ts";

/** Samples, and images held back from training, whose nearest training images are sought, at most. */
const MOST_SOUGHT = 1000;
/** Training images shown beside a sample, for each space. */
const SHOWN = 4;
const ROWS = 12;

export interface Found extends Copying {
  readonly features: string;
  /** Training images that were looked through. */
  readonly train: number;
}

export interface Search {
  readonly found: Found;
  /** Of the samples. */
  readonly neighbours: Neighbours;
}

/** The training images nearest to samples, held against those nearest to images that were never trained on. */
export async function search(
  { name, dim }: Pick<Space, "name" | "dim">,
  sets: { readonly samples: Features; readonly heldBack: Features; readonly train: Features },
): Promise<Search> {
  const [n, m] = [sets.samples, sets.heldBack].map(({ count }) => Math.min(count, MOST_SOUGHT));
  const progress = new Progress(`nearest in ${name}`, n! + m!);
  const among = async (of: Features, count: number, most: number, before: number) => {
    const parts: Neighbours[] = [];
    for (let i = 0; i < count; i += 16) {
      progress.update(before + i);
      await new Promise((done) => setImmediate(done)); // so that Ctrl-C is heard
      const part = of.vectors.subarray(i * dim, Math.min(i + 16, count) * dim);
      parts.push(nearestNeighbours(part, sets.train.vectors, dim, most));
    }
    return together(parts);
  };
  const neighbours = await among(sets.samples, n!, SHOWN, 0);
  const beside = await among(sets.heldBack, m!, 1, n!);
  progress.update(n! + m!);
  const told = copying(firsts(neighbours), firsts(beside));
  return { found: { features: name, train: sets.train.count, ...told }, neighbours };
}

function together(parts: readonly Neighbours[]): Neighbours {
  return {
    count: parts[0]!.count,
    index: Int32Array.from(parts.flatMap(({ index }) => [...index])),
    distance: Float64Array.from(parts.flatMap(({ distance }) => [...distance])),
  };
}

const firsts = ({ count, distance }: Neighbours): Float64Array => distance.filter((_, i) => i % count === 0);

/**
 * A PNG file of samples, each with the training images nearest to it in one space after the other. Shown are those whose
 * nearest training image in the first space stands out most from the next nearest, as it does for a copy: plain distances
 * would show the plainest images.
 */
export function neighbourPicture(samples: Images, train: Images, searches: readonly Search[]): Uint8Array {
  const { channels: c, height: h, width: w } = samples;
  const standsOut = sharesOfLast(searches[0]!.neighbours);
  const chosen = [...standsOut.keys()].sort((i, j) => standsOut[i]! - standsOut[j]!).slice(0, ROWS);
  const blank = new Float32Array(c * h * w).fill(GAP_SHADE / 255); // between the columns of two spaces;
  const cells = chosen.flatMap((i) => [
    pixelsOf(samples, i, 1),
    ...searches.flatMap(({ neighbours: { count, index } }) => [
      blank,
      ...Array.from({ length: count }, (_, k) => pixelsOf(train, index[i * count + k]!, 1)),
    ]),
  ]);
  const pixels = new Float32Array(cells.length * c * h * w);
  for (const [i, cell] of cells.entries()) pixels.set(cell, i * c * h * w);
  return grid(pixels, {
    n: cells.length,
    c,
    h,
    w,
    columns: cells.length / chosen.length,
    scale: h < 64 ? 2 : 1,
  });
}

/** The distance of each image to its nearest over that to the last of its neighbours; 0 where both are 0. */
function sharesOfLast({ count, distance }: Neighbours): number[] {
  const images = distance.length / count;
  return Array.from({ length: images }, (_, i) => {
    const nearest = distance[i * count]!;
    return nearest === 0 ? 0 : nearest / distance[(i + 1) * count - 1]!;
  });
}
