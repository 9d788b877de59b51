import { up4 } from "./conv-copies.ts";
import type { Hardware } from "./kernel.ts";
import { winogradPlaces, winogradRuns, winogradTiles } from "./winograd.ts";
import { type WinogradTile, winogradTileSizes } from "./winograd-matrices.ts";

/* Where Winograd's transforms pay, and by which tile. */

/** Kernels of winograd.ts, by tiles of 2x2 or 4x4 outputs. */
export type WinogradWay = { kernel: "winograd"; tile: WinogradTile };

/** A convolution 3x3 of stride 1, or a weight gradient, as tiles of outputs. */
export interface Tiled {
  readonly ci: number;
  readonly co: number;
  readonly oh: number;
  readonly ow: number;
  readonly attrs: { readonly dilation: readonly [y: number, x: number] };
}
const tilesOf = (tile: WinogradTile, { oh, ow, attrs: { dilation } }: Tiled, images = 1): number =>
  winogradTiles(tile, {
    images,
    ...winogradRuns(tile, { oh, ow, dilationY: dilation[0], dilationX: dilation[1] }),
  });

/** Bytes of one image's transformed inputs, or products, whichever are more. */
export const winogradBytes = (tile: WinogradTile, p: Tiled): number =>
  4 * winogradPlaces(tile) * tilesOf(tile, p) * Math.max(p.ci, p.co);

/** Whether the transforms of one image, packed in fours as a product may want them, and of all weights can be bound. */
export const winogradHeld = (hw: Hardware, tile: WinogradTile, p: Tiled): boolean =>
  4 * winogradPlaces(tile) * Math.max(up4(tilesOf(tile, p)) * Math.max(p.ci, p.co), p.ci * up4(p.co)) <=
  hw.maxBinding;

/*
 * Times on a CPU driver, in multiply-adds of the kernels by rows, fitted to llvmpipe with 8 to 128 channels, maps of 4 to 32
 * and dilations 1 to 4: of a product of register tiles, of a transformed value, which is loaded and stored, and of what a pair
 * of channels and a place take besides: a transformed weight, or a sum of a weight gradient. By rows a weight gradient
 * takes two thirds of the time of the convolution, and its products are long ones of few channels.
 */
const FORWARD = { product: 1.1, value: 26, pair: 8 };
const WEIGHT = { product: 1.8, value: 28, pair: 30 };
/** Images that share transformed weights: a convolution's way may not know how many there are. */
const SHARE = 4;

/** Of all tiles of some images. */
function winogradTime(tile: WinogradTile, p: Tiled, images: number, time: typeof FORWARD): number {
  const tiles = tilesOf(tile, p, images);
  const pairs = p.ci * p.co * (time.product * tiles + time.pair);
  return winogradPlaces(tile) * (pairs + time.value * tiles * (p.ci + p.co));
}

/** Time of Winograd's way as a share of convRows', which computes whole tiles of so many columns. */
export function winogradShare(tile: WinogradTile, p: Tiled, columns: number): number {
  const byRows = 9 * p.ci * p.co * p.oh * columns * Math.ceil(p.ow / columns);
  return winogradTime(tile, p, SHARE, FORWARD) / (SHARE * byRows);
}

/** Time of a weight gradient's way by Winograd as a share of that by rows. */
export const winogradSumsShare = (tile: WinogradTile, { n, ...p }: Tiled & { n: number }): number =>
  winogradTime(tile, p, n, WEIGHT) / (9 * p.ci * p.co * n * p.oh * p.ow);

/** The tile whose way takes the smallest share of the direct way's time, where that is less than `direct`, all of it. */
export function quickest(share: (tile: WinogradTile) => number, direct = 1): WinogradWay | undefined {
  const [best] = winogradTileSizes
    .map((tile) => ({ tile, time: share(tile) }))
    .filter(({ time }) => time < direct)
    .toSorted((x, y) => x.time - y.time);
  return best && { kernel: "winograd", tile: best.tile };
}

/**
 * Channels from which on Winograd's transforms, which are memory traffic, pay on a GPU for certain. With 64 images of 128 or
 * 256 channels on an H200 its way by tiles of 4x4 takes half to two thirds of that by 2x2, and that as much of the gemm's.
 */
const MANY = 64;

/** Winograd's way on a GPU, by the tile with the fewest products, where these are fewer than the direct way's. */
export const winogradProducts = (p: Tiled, held: (tile: WinogradTile) => boolean): WinogradWay | undefined =>
  quickest((tile) =>
    Math.min(p.ci, p.co) >= MANY && held(tile)
      ? (winogradPlaces(tile) * tilesOf(tile, p, SHARE)) / (SHARE * 9 * p.oh * p.ow)
      : Infinity,
  );
