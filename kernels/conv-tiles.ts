import { broadcasts } from "./broadcast.ts";
import { type ConvRowsVariant, convTileSizes, tallTileSizes } from "./conv2d.ts";
import type { Hardware } from "./kernel.ts";

/* Tiles of the kernels by rows, convRows and convWeightRows. */

export const lanesOf = (hw: Hardware): number => (hw.kind === "cpu" ? 8 : 64);
export type ConvTile = Pick<ConvRowsVariant, "rows" | "columns" | "lanes">;

/** `work`: multiply-adds of all images. */
type TileShape = { ci?: number; co: number; ow: number; work?: number };
/** Multiply-adds from which on the large tile, an eighth to a fifth faster, is worth the second that a driver takes to compile it. */
const LARGE = 2 ** 25;

/**
 * The tile for an output of `co` channels and rows of `ow`: little is wasted at the edges. An image's few channels are
 * soon summed up, by the kernel that ends the network in as many: larger tiles save 0.2 ms of 8x32x3x32x32 on llvmpipe,
 * and take a second to compile.
 */
export function convTile(hw: Hardware, { ci = Infinity, co, ow, work = 0 }: TileShape): ConvTile {
  const rest = ow % 8;
  const columns = rest > 0 && rest <= 4 && ow <= 12 ? 4 : 8;
  const large = broadcasts(hw) && isTall(co) && work >= LARGE;
  const few = co <= 4 || (ci <= 4 && hw.kind === "cpu" && !large);
  return { rows: few ? 4 : large ? 16 : 8, columns, lanes: lanesOf(hw) };
}

/** Whether tiles of 16 channels leave little of them empty. */
const isTall = (co: number): boolean => co % 16 === 0 || co >= 64;

const tileSizes = (hw: Hardware) => [...convTileSizes, ...(broadcasts(hw) ? tallTileSizes : [])];

/** Tiles worth measuring: those that the output fills. */
export const convTiles = (hw: Hardware, { co, ow }: { co: number; ow: number }): ConvTile[] =>
  tileSizes(hw)
    .filter(({ rows, columns }) => rows < co + 4 && columns < ow + 4)
    .map((tile) => ({ ...tile, lanes: lanesOf(hw) }));

/** A tile of weight gradients, and how many kernel rows a thread sums. */
export type ConvWeightTile = ConvTile & { readonly khs: number };
export type WeightShape = { ci: number; co: number; kh: number; kw: number };

/**
 * The same for the weight gradient, whose sums are all the taps: four channels and columns leave them in registers, and more
 * channels pay where dy is broadcast, 16 of them where there is much to sum. Kernel rows apart give lanes work where there are few channels.
 */
export function convWeightTile(
  hw: Hardware,
  { ci, co, kh, kw, work = 0 }: WeightShape & { work?: number },
): ConvWeightTile {
  const khs = kh <= 3 && kw <= 3 && (ci >= 8 || hw.kind === "gpu") ? kh : 1;
  const most = isTall(co) && (khs === 1 || work >= LARGE) ? 16 : 8;
  return { rows: broadcasts(hw) && co > 4 ? most : 4, columns: 4, lanes: lanesOf(hw), khs };
}

/** Tiles worth measuring: more sums than these take a driver long to compile, and gain where dy is broadcast alone. */
export const convWeightTiles = (hw: Hardware, { co, kh, kw }: WeightShape): ConvWeightTile[] =>
  (kh > 1 ? [1, kh] : [1]).flatMap((khs) =>
    tileSizes(hw)
      .filter(({ rows }) => rows < co + 4 && rows * khs * kw <= (broadcasts(hw) ? 144 : 40))
      .map((tile) => ({ ...tile, lanes: lanesOf(hw), khs })),
  );
