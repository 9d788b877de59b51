import { broadcasts } from "../../kernels/broadcast.ts";
import { heldAtOnce, up4 } from "../../kernels/conv-copies.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { matmulWay, registerTile } from "../../kernels/matmul.ts";
import { tileCount } from "../../kernels/tile.ts";
import {
  type By,
  type Share,
  winogradInput,
  winogradOutput,
  winogradPlaces,
  winogradRuns,
  winogradTiles,
} from "../../kernels/winograd.ts";
import { winogradBytes } from "../../kernels/winograd-choice.ts";
import { winogradOutputGrad, winogradWeightGrad } from "../../kernels/winograd-grad.ts";
import { elementOf, endsWithLanes, sharesRows } from "../../kernels/winograd-lanes.ts";
import type { WinogradTile } from "../../kernels/winograd-matrices.ts";
import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { BUSY } from "./conv-gemm.ts";
import { packed } from "./conv-packs.ts";
import type { Convolution, WeightSums } from "./conv-problems.ts";
import { sizeOf } from "./conv-shapes.ts";
import { multiply } from "./matmul.ts";

/**
 * Bytes of transformed inputs at once. A processor is no faster with more images; an H200 takes a third longer where 64 images
 * (128 channels, 32 x 32) are cut in three, for their products fill it less.
 */
const AT_ONCE = { cpu: 2 ** 25, gpu: 2 ** 27 };

/** Images of each turn, as even as can be. Parts of a weight gradient's images, filled up, may come to almost twice as many. */
function imagesAtOnce(
  { hardware: { kind, maxBinding } }: Engine,
  tile: WinogradTile,
  { n, ...problem }: Parameters<typeof winogradBytes>[1] & { n: number },
): number {
  const most = Math.max(
    1,
    Math.floor(Math.min(maxBinding / 2, AT_ONCE[kind]) / winogradBytes(tile, problem)),
  );
  return Math.ceil(n / Math.ceil(n / most));
}

/**
 * Whether the product computes M with the tiles as rows, where a CPU driver's register tiles waste less beyond the edges or
 * are larger so: few tiles fill no columns. The sums are the same to the last bit, so that the images may decide.
 */
function tilesFirst(
  hw: Hardware,
  { places, ci, co, tiles }: Record<"places" | "ci" | "co" | "tiles", number>,
): boolean {
  if (hw.kind !== "cpu" || co % 4 !== 0) return false;
  const sums = (m: number, n: number): number => {
    const { rows, columns } = registerTile(broadcasts(hw), { batch: places, m, n, k: ci });
    const across = 8 * columns;
    const pace = rows * columns > 64 ? 1.3 : 1;
    return (Math.ceil(m / rows) * rows * Math.ceil(n / across) * across) / pace;
  };
  return sums(tiles, co) < sums(co, tiles);
}

/** Whether rows are read, or written, by vec4s: one starts where a run of tiles has its first output. */
const byFours = ({ kind }: Hardware, width: number, dilationX: number): boolean =>
  kind === "gpu" && width % 4 === 0 && dilationX === 1;

type Rows = Record<"width" | "runs" | "dilationX", number> & {
  /** Columns that are missing before the first, of inputs. */
  left?: number;
  /** Of values that are turned. */
  channels?: number;
};

/** How inputs are read, or outputs written, by tiles: as vec4s, and by lanes that share. */
function rowsBy(
  hw: Hardware,
  tile: WinogradTile,
  { width, runs, dilationX, left, channels = 4 }: Rows,
): By & Share {
  const begins = left === undefined || left === dilationX;
  if (byFours(hw, width, dilationX) && begins) return { by: "fours", share: "none" };
  if (!sharesRows(hw, tile, dilationX) || !begins || width > tile * runs || channels % 4 !== 0)
    return { by: "singles", share: "none" };
  const share = left === undefined || endsWithLanes(runs) ? "lanes" : "ends";
  return { by: elementOf(width, runs), share };
}

/** Transforms of some images after the other, and the products of all their tiles at once. */
export function byWinograd(
  engine: Engine,
  [x, w, bias, residual, pack]: Inputs,
  problem: Convolution,
  tile: WinogradTile,
): Tensor {
  const { n, ci, co, oh, ow, attrs, flip, rescale } = problem;
  const [dilationY, dilationX] = attrs.dilation;
  const { lines, runs } = winogradRuns(tile, { oh, ow, dilationY, dilationX });
  const places = winogradPlaces(tile);
  const coPitch = up4(co);
  const u = packed(engine, w!, { kernel: "winograd", tile }, { flip, pack });
  const y = engine.empty([n, co, oh, ow]);
  const most = imagesAtOnce(engine, tile, problem);
  for (let first = 0; first < n; first += most) {
    const images = Math.min(most, n - first);
    const part = { images, first, each: images, lines, runs, dilationY, dilationX };
    const tiles = winogradTiles(tile, part);
    const v = engine.empty([places, ci, tiles], "f32");
    const [height, width] = sizeOf(x!);
    const [top, , left] = attrs.padding;
    engine.launch(
      winogradInput,
      { tile, turned: false, ...rowsBy(engine.hardware, tile, { width, runs, dilationX, left }) },
      { x: x!, v },
      { ...part, ci, height, width, top, left },
    );
    const m = engine.empty([places, co, tiles], "f32");
    const turned = tilesFirst(engine.hardware, { places, ci, co, tiles });
    const us = { t: u, columns: co, pitch: coPitch };
    const vs = { t: v, columns: tiles, pitch: tiles };
    const [down, across] = turned ? [vs, us] : [us, vs];
    const sizes = { batch: places, m: down.columns, n: across.columns, k: ci, alongM: true };
    const a = { t: down.t, batch: ci * down.pitch, row: 1, column: down.pitch };
    const b = { t: across.t, batch: ci * across.pitch, row: across.pitch, column: 1 };
    multiply(engine, a, b, m, sizes, matmulWay(engine.hardware, sizes));
    engine.launch(
      winogradOutput,
      {
        ...{ tile, turned, residual: residual !== undefined, by: "singles", share: "none" },
        ...(!turned && rowsBy(engine.hardware, tile, { width: ow, runs, dilationX })),
      },
      { m, bias: bias ?? u, residual: residual ?? u, y },
      { ...part, co, oh, ow, useBias: bias ? 1 : 0, biasPitch: bias?.rank === 2 ? co : 0, rescale },
    );
    for (const t of [v, m]) t.dispose();
  }
  return y;
}

/**
 * dw from the transforms of some images' x and dy after the other. A GPU sums the tiles of parts of these images apart,
 * until it is busy; a CPU driver's product reads both with their channels as neighbours.
 */
export function weightsByWinograd(
  engine: Engine,
  [dy, x]: Inputs,
  sums: WeightSums,
  tile: WinogradTile,
): Tensor {
  const { n, ci, co, size, dilation, padding } = sums;
  const [oh, ow] = size;
  const [dilationY, dilationX] = dilation;
  const { lines, runs } = winogradRuns(tile, { oh, ow, dilationY, dilationX });
  const places = winogradPlaces(tile);
  const turned = engine.hardware.kind === "cpu";
  const most = imagesAtOnce(engine, tile, { n, ci, co, oh, ow, attrs: sums });
  const [height, width] = sizeOf(x!);
  let before: Tensor | undefined;
  for (let first = 0; ; first += most) {
    const images = Math.min(most, n - first);
    const each = Math.ceil(images / Math.min(images, splits(engine, sums, places)));
    const parts = Math.ceil(images / each);
    const part = { images, first, each, lines, runs, dilationY, dilationX };
    const tiles = winogradTiles(tile, { images: each, lines, runs });
    const v = engine.empty([parts * places, ci, tiles], "f32");
    const [top, , left] = padding;
    engine.launch(
      winogradInput,
      {
        ...{ tile, turned },
        ...rowsBy(engine.hardware, tile, { width, runs, dilationX, left, channels: ci }),
      },
      { x: x!, v },
      { ...part, ci, height, width, top, left },
    );
    const w = engine.empty([parts * places, co, tiles], "f32");
    engine.launch(
      winogradOutputGrad,
      { tile, turned, ...rowsBy(engine.hardware, tile, { width: ow, runs, dilationX, channels: co }) },
      { dy: dy!, w },
      { ...part, co, oh, ow },
    );
    const p = engine.empty([parts * places, co, ci], "f32");
    const a = { t: w, batch: co * tiles, row: turned ? 1 : tiles, column: turned ? co : 1 };
    const b = { t: v, batch: ci * tiles, row: turned ? ci : 1, column: turned ? 1 : tiles };
    const sizes = { batch: parts * places, m: co, n: ci, k: tiles };
    multiply(engine, a, b, p, sizes, matmulWay(engine.hardware, sizes));
    const last = first + images === n;
    const dw = engine.empty([co, ci, 3, 3], last ? undefined : "f32");
    engine.launch(
      winogradWeightGrad,
      { tile },
      { sums: p, before: before ?? p, dw },
      { parts, co, ci, useBefore: before ? 1 : 0 },
    );
    for (const t of [v, w, p, before]) t?.dispose();
    if (last) return dw;
    before = dw;
  }
}

/** Parts that keep a GPU busy with small tiles: each part's products are written and read once more. */
const splits = ({ hardware }: Engine, { ci, co }: WeightSums, places: number): number =>
  hardware.kind === "cpu"
    ? 1
    : Math.min(
        Math.ceil((2 * BUSY) / tileCount(places, co, ci, { rows: 64, columns: 64 })),
        heldAtOnce(hardware, 4 * places * co * ci),
      );
