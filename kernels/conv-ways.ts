import { broadcasts } from "./broadcast.ts";
import { rowsBytes, up4, weightRowsBytes } from "./conv-copies.ts";
import { type MatrixWay, matrixHeld, matrixSize, matrixWays } from "./conv-matrix.ts";
import { type ConvRowsVariant, convTileSizes, tallTileSizes } from "./conv2d.ts";
import type { Hardware } from "./kernel.ts";
import type { Tile } from "./tile.ts";
import { heldTiles, usualTile } from "./tile-choice.ts";
import { winogradPlaces, winogradRuns, winogradTiles } from "./winograd.ts";
import { type WinogradTile, winogradTileSizes } from "./winograd-matrices.ts";

/*
 * Ways to compute a convolution, forward or to its input, and a weight gradient.
 *
 * | way      | computes                                  | taken                                              |
 * | rows     | any, by convRows over a padded copy       | few channels, CPU drivers' strides, small images   |
 * | fold     | a stride's gradient, by sums of products  | CPU drivers                                        |
 * | gemm     | any, as a matrix product of gathered x    | GPUs                                               |
 * | matrix   | the same on matrix units, inputs in f16   | GPUs with such units, in mixed precision           |
 * | winograd | 3x3 of stride 1, 16 products for 36, or   | about 16 channels, on GPUs 64, by tiles of 4x4 as  |
 * |          | 36 for 144                                | a rule                                             |
 *
 * Where an adapter cannot bind what a way makes of one image, or of the weights, that way is left out; the gemm makes
 * nothing of images.
 */

const lanesOf = (hw: Hardware): number => (hw.kind === "cpu" ? 8 : 64);
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
const convTiles = (hw: Hardware, { co, ow }: { co: number; ow: number }): ConvTile[] =>
  tileSizes(hw)
    .filter(({ rows, columns }) => rows < co + 4 && columns < ow + 4)
    .map((tile) => ({ ...tile, lanes: lanesOf(hw) }));

/** Kernels of winograd.ts, by tiles of 2x2 or 4x4 outputs. */
export type WinogradWay = { kernel: "winograd"; tile: WinogradTile };

/** How a convolution is computed: convRows with a tile, convGemm or convPhases, convFold, or the kernels of winograd.ts. */
export type ConvWay =
  | ({ kernel: "rows" } & ConvTile)
  | ({ kernel: "gemm" } & Tile)
  | { kernel: "fold" }
  | MatrixWay
  | WinogradWay;

export interface ConvProblem {
  /** Images. Tiles may depend on them, for they change no number, but no kernel may. */
  readonly n: number;
  readonly ci: number;
  readonly co: number;
  readonly oh: number;
  readonly ow: number;
  readonly kernel: readonly [y: number, x: number];
  readonly attrs: {
    readonly stride: readonly [y: number, x: number];
    readonly dilation: readonly [y: number, x: number];
  };
  /** The input's neighbours stand so far apart: the stride whose gradient in the input this is. */
  readonly stuffing: readonly [y: number, x: number];
  /** Of the input. */
  readonly size?: readonly [y: number, x: number] | undefined;
  /** Taps are read backwards. */
  readonly flip: boolean;
  /** The input is stored as f16. */
  readonly half: boolean;
}

type Tiled = Pick<ConvProblem, "ci" | "co" | "oh" | "ow"> & {
  readonly attrs: Pick<ConvProblem["attrs"], "dilation">;
};
const tilesOf = (tile: WinogradTile, { oh, ow, attrs: { dilation } }: Tiled, images = 1): number =>
  winogradTiles(tile, {
    images,
    ...winogradRuns(tile, { oh, ow, dilationY: dilation[0], dilationX: dilation[1] }),
  });

/** Bytes of one image's transformed inputs, or products, whichever are more. */
export const winogradBytes = (tile: WinogradTile, p: Tiled): number =>
  4 * winogradPlaces(tile) * tilesOf(tile, p) * Math.max(p.ci, p.co);

/** Whether the transforms of one image, packed in fours as a product may want them, and of all weights can be bound. */
const winogradHeld = (hw: Hardware, tile: WinogradTile, p: Tiled): boolean =>
  4 * winogradPlaces(tile) * Math.max(up4(tilesOf(tile, p)) * Math.max(p.ci, p.co), p.ci * up4(p.co)) <=
  hw.maxBinding;

/** Whether Winograd's kernels can compute it. */
const winogradFits = (hw: Hardware, tile: WinogradTile, p: ConvProblem): boolean =>
  [p.kernel, p.attrs.stride, p.stuffing].join() === "3,3,1,1,1,1" && winogradHeld(hw, tile, p);

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

/** Time of Winograd's way as a share of convRows', which computes whole tiles of columns. */
function winogradShare(hw: Hardware, tile: WinogradTile, p: ConvProblem): number {
  const { columns } = convTile(hw, p);
  const byRows = 9 * p.ci * p.co * p.oh * columns * Math.ceil(p.ow / columns);
  return winogradTime(tile, p, SHARE, FORWARD) / (SHARE * byRows);
}

/** The same of a weight gradient. */
const winogradSumsShare = (tile: WinogradTile, { n, ...p }: Tiled & { n: number }): number =>
  winogradTime(tile, p, n, WEIGHT) / (9 * p.ci * p.co * n * p.oh * p.ow);

/** Whether it is the gradient of a stride. */
export const isStrided = ({ stuffing: [y, x] }: Pick<ConvProblem, "stuffing">): boolean => y * x > 1;

/** Bytes of what the places of one image add through all taps. */
export const foldBytes = (
  { co, kernel }: Pick<ConvProblem, "co" | "kernel">,
  [height, width]: readonly [y: number, x: number],
): number => 4 * co * kernel[0] * kernel[1] * height * width;

/** Whether convFold can compute it. */
const foldFits = (hw: Hardware, p: ConvProblem): boolean =>
  p.flip && isStrided(p) && p.size !== undefined && foldBytes(p, p.size) <= hw.maxBinding;

/** The tile whose way takes the smallest share of the direct way's time, where that is less than `direct`, all of it. */
function quickest(share: (tile: WinogradTile) => number, direct = 1): WinogradWay | undefined {
  const [best] = winogradTileSizes
    .map((tile) => ({ tile, time: share(tile) }))
    .filter(({ time }) => time < direct)
    .toSorted((x, y) => x.time - y.time);
  return best && { kernel: "winograd", tile: best.tile };
}

/** Of a convolution in f16: rounding weights too is within what it asks for. */
function convMatrixWays(hw: Hardware, p: ConvProblem): ConvWay[] {
  const { half, flip, ci, co, kernel } = p;
  if (!half || flip || isStrided(p) || Math.min(ci, co) < FULL) return [];
  const [lines, pitch] = matrixSize(p);
  if (!matrixHeld(hw, { ci, co, taps: kernel[0] * kernel[1], pixels: lines * pitch })) return [];
  return matrixWays(hw, { ci, m: co, n: p.n * p.oh * p.ow });
}

/** Fewer channels leave most of a slab or of a tile empty. */
const FULL = 8;
/**
 * Channels from which on Winograd's transforms, which are memory traffic, pay on a GPU for certain. With 64 images of 128 or
 * 256 channels on an H200 its way by tiles of 4x4 takes half to two thirds of that by 2x2, and that as much of the gemm's.
 */
const MANY = 64;

/** Winograd's way on a GPU, by the tile with the fewest products, where these are fewer than the direct way's. */
const winogradProducts = (p: Tiled, held: (tile: WinogradTile) => boolean): WinogradWay | undefined =>
  quickest((tile) =>
    Math.min(p.ci, p.co) >= MANY && held(tile)
      ? (winogradPlaces(tile) * tilesOf(tile, p, SHARE)) / (SHARE * 9 * p.oh * p.ow)
      : Infinity,
  );

/** Whether an image's padded copy can be bound. */
const rowsHeld = (hw: Hardware, p: ConvProblem, { columns }: ConvTile): boolean =>
  rowsBytes(p, columns, p.half ? 2 : 4) <= hw.maxBinding;

/** Of a stride's gradient each class of outputs is a product of its own. Weights are packed along m; tall tiles gather less. */
function convProduct({ n, co, oh, ow, stuffing: [stepY, stepX] }: ConvProblem) {
  const places = Math.ceil(oh / stepY) * Math.ceil(ow / stepX);
  return { batch: stepY * stepX, m: co, n: n * places, alongM: true };
}

/** The usual way. */
export function convWay(hw: Hardware, p: ConvProblem): ConvWay {
  const gemm = () => ({ kernel: "gemm", ...usualTile(hw, convProduct(p)) }) as const;
  if (hw.kind === "cpu") {
    if (foldFits(hw, p)) return { kernel: "fold" };
    const work = p.n * p.ci * p.co * p.oh * p.ow * p.kernel[0] * p.kernel[1];
    const rows = { kernel: "rows", ...convTile(hw, { ...p, work }) } as const;
    const held = rowsHeld(hw, p, rows);
    const share = (tile: WinogradTile) => (winogradFits(hw, tile, p) ? winogradShare(hw, tile, p) : Infinity);
    return quickest(share, held ? 1 : Infinity) ?? (held ? rows : gemm());
  }
  const small = { kernel: "rows", rows: 4, columns: 4, lanes: lanesOf(hw) } as const; // half the large tile's time on an H100
  if (Math.min(p.ci, p.co) < FULL && rowsHeld(hw, p, small)) return small;
  const [byMatrix] = convMatrixWays(hw, p);
  if (byMatrix) return byMatrix;
  return winogradProducts(p, (tile) => winogradFits(hw, tile, p)) ?? gemm();
}

/** What is worth measuring. Winograd's way rounds differently from the others. */
export const convWays = (hw: Hardware, p: ConvProblem): ConvWay[] => [
  ...convTiles(hw, p)
    .filter((tile) => rowsHeld(hw, p, tile))
    .map((tile): ConvWay => ({ kernel: "rows", ...tile })),
  ...(hw.kind === "gpu" ? heldTiles(hw).map((v): ConvWay => ({ kernel: "gemm", ...v })) : []),
  ...(hw.kind === "cpu" && foldFits(hw, p) ? [{ kernel: "fold" } as const] : []),
  ...convMatrixWays(hw, p),
  ...winogradTileSizes
    .filter((tile) => winogradFits(hw, tile, p) && (hw.kind === "gpu" || winogradShare(hw, tile, p) < 1.5))
    .map((tile): ConvWay => ({ kernel: "winograd", tile })),
];

/** A tile of weight gradients, and how many kernel rows a thread sums. */
export type ConvWeightTile = ConvTile & { readonly khs: number };
/** Its sum is split until there are workgroups enough: only what a tile wastes at the edges counts. */
const SPLITS = 1024;
type WeightShape = { ci: number; co: number; kh: number; kw: number };
export interface WeightProblem extends WeightShape {
  /** Images, which the way may depend on: all are summed. */
  readonly n: number;
  /** Of the gradient that comes in. */
  readonly size: readonly [y: number, x: number];
  readonly stride: readonly [y: number, x: number];
  readonly dilation: readonly [y: number, x: number];
}

/** How a weight gradient is computed: convWeightRows or convWeightGemm with a tile, or the kernels of winograd-grad.ts. */
export type ConvWeightWay = ({ kernel: "rows" } & ConvWeightTile) | ({ kernel: "gemm" } & Tile) | WinogradWay;

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
const convWeightTiles = (hw: Hardware, { co, kh, kw }: WeightShape): ConvWeightTile[] =>
  (kh > 1 ? [1, kh] : [1]).flatMap((khs) =>
    tileSizes(hw)
      .filter(({ rows }) => rows < co + 4 && rows * khs * kw <= (broadcasts(hw) ? 144 : 40))
      .map((tile) => ({ ...tile, lanes: lanesOf(hw), khs })),
  );

/** A weight gradient as tiles, if Winograd's kernels can compute it. */
function weightTiles(
  hw: Hardware,
  tile: WinogradTile,
  { n, ci, co, kh, kw, size, stride, dilation }: WeightProblem,
): (Tiled & { n: number }) | undefined {
  const p = { n, ci, co, oh: size[0], ow: size[1], attrs: { dilation } };
  const fits = [kh, kw, ...stride].join() === "3,3,1,1" && winogradHeld(hw, tile, p);
  return fits ? p : undefined;
}

/** Whether an image's padded copies can be bound. */
const weightRowsHeld = (hw: Hardware, problem: WeightProblem, { columns }: ConvTile): boolean =>
  weightRowsBytes(problem, columns) <= hw.maxBinding;

/** The usual way. */
export function convWeightWay(hw: Hardware, problem: WeightProblem): ConvWeightWay {
  const { n, ci, co, kh, kw, size, dilation } = problem;
  const work = n * ci * co * kh * kw * size[0] * size[1];
  const rows = { kernel: "rows", ...convWeightTile(hw, { ...problem, work }) } as const;
  const gemm = () =>
    ({ kernel: "gemm", ...usualTile(hw, { batch: SPLITS, m: co, n: kh * kw * ci }) }) as const;
  const held = weightRowsHeld(hw, problem, rows);
  if (hw.kind === "cpu") {
    const share = (tile: WinogradTile): number => {
      const tiles = weightTiles(hw, tile, problem);
      return tiles ? winogradSumsShare(tile, tiles) : Infinity;
    };
    return quickest(share, held ? 1 : Infinity) ?? (held ? rows : gemm());
  }
  const asTiles = { n, ci, co, oh: size[0], ow: size[1], attrs: { dilation } };
  const byWinograd = winogradProducts(asTiles, (tile) => weightTiles(hw, tile, problem) !== undefined);
  return byWinograd ?? (co >= FULL || !held ? gemm() : rows);
}

/** What is worth measuring. */
export const convWeightWays = (hw: Hardware, problem: WeightProblem): ConvWeightWay[] => [
  ...convWeightTiles(hw, problem)
    .filter((tile) => weightRowsHeld(hw, problem, tile))
    .map((tile): ConvWeightWay => ({ kernel: "rows", ...tile })),
  ...(hw.kind === "gpu" ? heldTiles(hw).map((v): ConvWeightWay => ({ kernel: "gemm", ...v })) : []),
  ...winogradTileSizes
    .filter((tile) => weightTiles(hw, tile, problem))
    .map((tile): ConvWeightWay => ({ kernel: "winograd", tile })),
];
