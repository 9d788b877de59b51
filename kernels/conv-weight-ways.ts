import { weightRowsBytes } from "./conv-copies.ts";
import {
  type ConvTile,
  type ConvWeightTile,
  convWeightTile,
  convWeightTiles,
  type WeightShape,
} from "./conv-tiles.ts";
import type { Hardware } from "./kernel.ts";
import type { Tile } from "./tile.ts";
import { FILLED, heldTiles, usualTile } from "./tile-choice.ts";
import {
  quickest,
  type Tiled,
  type WinogradWay,
  winogradHeld,
  winogradProducts,
  winogradSumsShare,
} from "./winograd-choice.ts";
import { type WinogradTile, winogradTileSizes } from "./winograd-matrices.ts";

/* Ways to compute a weight gradient: those of conv-ways.ts but for folding and matrix units. */

/** Its sum is split until there are workgroups enough: only what a tile wastes at the edges counts. */
const SPLITS = 1024;
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
  return byWinograd ?? (co >= FILLED || !held ? gemm() : rows);
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
