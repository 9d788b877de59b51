import { rowsBytes } from "./conv-copies.ts";
import { type MatrixWay, matrixHeld, matrixSize, matrixWays } from "./conv-matrix.ts";
import { type ConvTile, convTile, convTiles, lanesOf } from "./conv-tiles.ts";
import type { Hardware } from "./kernel.ts";
import type { Tile } from "./tile.ts";
import { FILLED, heldTiles, usualTile } from "./tile-choice.ts";
import {
  quickest,
  type WinogradWay,
  winogradHeld,
  winogradProducts,
  winogradShare,
} from "./winograd-choice.ts";
import { type WinogradTile, winogradTileSizes } from "./winograd-matrices.ts";

/*
 * Ways to compute a convolution, forward or to its input; a weight gradient's are in conv-weight-ways.ts.
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

/** Whether Winograd's kernels can compute it. */
const winogradFits = (hw: Hardware, tile: WinogradTile, p: ConvProblem): boolean =>
  [p.kernel, p.attrs.stride, p.stuffing].join() === "3,3,1,1,1,1" && winogradHeld(hw, tile, p);

const shareOf = (hw: Hardware, tile: WinogradTile, p: ConvProblem): number =>
  winogradShare(tile, p, convTile(hw, p).columns);

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

/** Of a convolution in f16: rounding weights too is within what it asks for. */
function convMatrixWays(hw: Hardware, p: ConvProblem): ConvWay[] {
  const { half, flip, ci, co, kernel } = p;
  if (!half || flip || isStrided(p) || Math.min(ci, co) < FILLED) return [];
  const [lines, pitch] = matrixSize(p);
  if (!matrixHeld(hw, { ci, co, taps: kernel[0] * kernel[1], pixels: lines * pitch })) return [];
  return matrixWays(hw, { ci, m: co, n: p.n * p.oh * p.ow });
}

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
    const share = (tile: WinogradTile) => (winogradFits(hw, tile, p) ? shareOf(hw, tile, p) : Infinity);
    return quickest(share, held ? 1 : Infinity) ?? (held ? rows : gemm());
  }
  const small = { kernel: "rows", rows: 4, columns: 4, lanes: lanesOf(hw) } as const; // half the large tile's time on an H100
  if (Math.min(p.ci, p.co) < FILLED && rowsHeld(hw, p, small)) return small;
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
    .filter((tile) => winogradFits(hw, tile, p) && (hw.kind === "gpu" || shareOf(hw, tile, p) < 1.5))
    .map((tile): ConvWay => ({ kernel: "winograd", tile })),
];
