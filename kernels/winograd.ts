import { LANES } from "./broadcast.ts";
import {
  type Flip,
  type Flips,
  flips,
  intoPack,
  packBindings,
  packCount,
  packPair,
  packSpot,
  packThreads,
} from "./conv-packs.ts";
import {
  type Binding,
  components,
  defineKernel,
  type Groups,
  type Hardware,
  linearGroups,
  linearMain,
  range,
  unroll,
} from "./kernel.ts";
import { inputByLanes, lanesGroups, lanesLib, outputByLanes } from "./winograd-lanes.ts";
import { type Row, type WinogradTile, winogradRows, winogradTileSizes } from "./winograd-matrices.ts";

/*
 * Convolution 3x3 of stride 1 by Winograd's minimal filtering F(m x m, 3 x 3) (Lavin & Gray 2016): a tile of m x m outputs
 * sees (m + 2) x (m + 2) inputs, and as many products of transformed values as these take the place of 9 m^2.
 *
 *   V = B^T d B   of each tile d of inputs              winogradInput
 *   U = G g G^T   of each kernel g                      winogradWeight
 *   M = U V       for each of (m + 2)^2 places, over ci a matrix product, one for each place: matmul.ts
 *   y = A^T M A   plus bias and residual                winogradOutput
 *
 * | m | products for an output of 9 | transformed inputs for a pixel | a thread's tiles       |
 * | 2 | 4                           | 4                              | four neighbours of a row |
 * | 4 | 2.25                        | 2.25                           | one                    |
 *
 * Where lanes of a subgroup can share what they read, neighbouring tiles do: winograd-lanes.ts.
 *
 * A dilation d sorts the outputs into d x d phases, each a convolution without dilation: a line of tiles belongs to one
 * phase of rows, a run of tiles, which a thread computes, to one of columns.
 */

export type Tiled = { tile: WinogradTile };

/** Places of a tile: products that are matrix products of their own. */
export const winogradPlaces = (tile: WinogradTile): number => (tile + 2) ** 2;

/** Tiles of a run: four of 2x2 share what they read, and are stored as vec4s; larger ones would fill more registers than there are. */
const runOf = (tile: WinogradTile): number => (tile === 2 ? 4 : 1);

type Winograd = Readonly<Record<"oh" | "ow" | "dilationY" | "dilationX", number>>;

/** Lines of tiles, and runs of tiles in each, of one image. */
export const winogradRuns = (
  tile: WinogradTile,
  { oh, ow, dilationY, dilationX }: Winograd,
): { lines: number; runs: number } => ({
  lines: dilationY * Math.ceil(Math.ceil(oh / dilationY) / tile),
  runs: dilationX * Math.ceil(Math.ceil(ow / dilationX) / (runOf(tile) * tile)),
});

/** Tiles of some images, filled up so that rows of them are whole vec4s. */
export const winogradTiles = (
  tile: WinogradTile,
  { images, lines, runs }: Record<"images" | "lines" | "runs", number>,
): number => Math.ceil((images * lines * runs * runOf(tile)) / 4) * 4;

/** Whether a tile's channels are neighbours: [tiles, channels] of each place instead of [channels, tiles]. */
type Turned = Tiled & { turned: boolean };

const turnedVariants: readonly Turned[] = winogradTileSizes.flatMap((tile) =>
  [false, true].map((turned) => ({ tile, turned })),
);

/** Transformed values: of a run at once, unless turned. */
const runElement = ({ tile, turned }: Turned): "vec4f" | "f32" =>
  runOf(tile) === 4 && !turned ? "vec4f" : "f32";

export const runParams = {
  /** Images that are computed at once, and the first of them. */
  images: "u32",
  first: "u32",
  /** Images of a part: parts stand one after the other, the last one filled up with zeros. */
  each: "u32",
  lines: "u32",
  runs: "u32",
  dilationY: "u32",
  dilationX: "u32",
} as const;

/**
 * WGSL: a thread for a run of tiles of each of `channels` of the images; its first output is (oh, ow), and its first of
 * (m + 2)^2 values, `size` apart, stands `at`. It is not kept where it fills up a part or its last vec4.
 */
export function eachRun(channels: string, { tile, turned }: Turned): string {
  const run = runOf(tile);
  const filled = run === 4 ? "whole" : "(whole + 3u) / 4u * 4u";
  return `
    ${linearMain(64)}
      let whole = p.each * p.lines * p.runs;
      let pitch = ${filled};
      let place = thread % pitch;
      let channel = (thread / pitch) % ${channels};
      let part = thread / (pitch * ${channels});
      if (part * p.each >= p.images) { return; }
      let run = place % p.runs;
      let line = (place / p.runs) % p.lines;
      let image = part * p.each + place / (p.runs * p.lines);
      let kept = place < whole && image < p.images;
      let oh = line % p.dilationY + (line / p.dilationY) * ${tile}u * p.dilationY;
      let ow = run % p.dilationX + (run / p.dilationX) * ${run * tile}u * p.dilationX;
      let size = pitch * ${channels}${turned ? ` * ${run}u` : ""};
      let at = part * ${winogradPlaces(tile)}u * size + ${turned ? `place * ${run}u * ${channels} + channel` : "channel * pitch + place"};`;
}

/** WGSL: stores a place's values of a run. */
export function putRun(
  to: string,
  channels: string,
  { tile, turned }: Turned,
  place: number,
  value: string,
): string {
  const at = `${place}u * size + at`;
  if (!turned || runOf(tile) === 1) return `${to}[${at}] = ${value};`;
  return `{ let run = ${value}; ${unroll(4, (q) => `${to}[${at} + ${q}u * ${channels}] = run[${q}];`, " ")} }`;
}

/** WGSL: a place's values of a run. */
const getRun = (from: string, channels: string, { tile, turned }: Turned, place: number): string => {
  const at = `${place}u * size + at`;
  if (!turned || runOf(tile) === 1) return `${from}[${at}]`;
  return `vec4f(${range(4).map((q) => `${from}[${at} + ${q}u * ${channels}]`)})`;
};

/** WGSL: value `row`, and so many columns from `first` on, of each tile of a run of which neighbours stand in columns of t. */
export const ofRun = (tile: WinogradTile, row: number, first: number): string => {
  const values = range(runOf(tile)).map((q) => `t${row}_${first + tile * q}`);
  return values.length === 1 ? values[0]! : `vec4f(${values})`;
};

/** Columns of which a run's tiles are made, `width` wide each. */
export const runColumns = (tile: WinogradTile, width: number): number => (runOf(tile) - 1) * tile + width;

export const runGroups = (
  { images, each, lines, runs }: Record<"images" | "each" | "lines" | "runs", number>,
  channels: number,
  tile: WinogradTile,
): Groups => {
  const pitch = winogradTiles(tile, { images: each, lines, runs }) / runOf(tile);
  return linearGroups(Math.ceil(images / each) * pitch * channels, 64);
};

/** Transformed values and outputs of all tiles, moved once. */
export const runCost = (
  { images, lines, runs }: Record<"images" | "lines" | "runs", number>,
  channels: number,
  { tile, flops }: Tiled & { flops: number },
) => {
  const tiles = runOf(tile) * images * lines * runs * channels;
  return { bytes: 4 * (winogradPlaces(tile) + tile ** 2) * tiles, flops: flops * tiles };
};

/** How images are read, or written: float by float, or by vec4s. */
export type By = { by: "singles" | "fours" };

/**
 * Whether lanes share what they read, turned values standing in vec4s of channels, and besides, for "ends", those at the ends of
 * a subgroup read what they lack: winograd-lanes.ts. Else vec4s need a width that is a multiple of 4, and no dilation across.
 */
export type Share = { share: "none" | "lanes" | "ends" };
export type Transform = Turned & By & Share;

export const elements = ["singles", "fours"] as const;
export const transformVariants: readonly Transform[] = turnedVariants.flatMap((v) =>
  elements.map((by) => ({ ...v, by, share: "none" }) as const),
);

/** What of a kernel depends on whether lanes share. */
export const onSubgroups = {
  lib: ({ share }: Share) => (share === "none" ? [] : lanesLib),
  subgroups: ({ share }: Share) => share !== "none",
  subgroupSize: ({ share }: Share) => (share === "none" ? undefined : LANES),
};

/** Bindings of images, and of transformed values. */
export const imageElement = ({ by }: By): "f32" | "vec4f" => (by === "singles" ? "f32" : "vec4f");
export const valueElement = (v: Turned & Share): "f32" | "vec4f" =>
  v.share === "none" ? runElement(v) : "vec4f";

/** What is read of rows line{r}, of which those in{r} are within the image, and what becomes of a column of theirs. */
interface Columns {
  readonly array: string;
  readonly rows: number;
  readonly width: string;
  /** Values that a column is transformed to, and each of them. */
  readonly side: number;
  readonly row: Row;
}

/** WGSL: column t{i}_{c}, transformed, of the floats that stand at `x` in their rows. */
export const oneColumn = (
  { array, rows, width, side, row }: Columns,
  c: number,
  x: string,
  lane?: string,
) => `
      let x${c} = ${x};
      let within${c} = x${c} >= 0 && x${c} < ${width};
      ${unroll(rows, (r) => `let d${r}_${c} = select(0.0, ${array}[select(0, line${r} + x${c}, in${r} && within${c})${lane ? ` / 4].${lane}` : "]"}, in${r} && within${c});`)}
      ${unroll(side, (i) => `let t${i}_${c} = ${row(i, (k) => `d${k}_${c}`)};`, " ")}`;

/** WGSL: four columns from c on, of the vec4s that start at `x`. */
export const fourColumns = ({ array, rows, width, side, row }: Columns, c: number, x: string) => `
      let x${c} = ${x};
      let within${c} = x${c} < ${width};
      ${unroll(rows, (r) => `let d${r}_${c} = select(vec4f(), ${array}[select(0, line${r} + x${c}, in${r} && within${c}) / 4], in${r} && within${c});`)}
      ${unroll(side, (i) => `let f${i}_${c} = ${row(i, (k) => `d${k}_${c}`)}; ${unroll(4, (q) => `let t${i}_${c + q} = f${i}_${c}.${components[q]};`, " ")}`)}`;

/** x [n, ci, h, w] -> V [parts, (m + 2)^2, ci, tiles], or turned. By vec4s for a `left` of 1. */
export const winogradInput = defineKernel({
  name: "winograd_input",
  bindings: (v: Transform): Record<"x" | "v", Binding> => ({
    x: `read ${imageElement(v)}`,
    v: `read_write ${valueElement(v)}`,
  }),
  params: { ...runParams, ci: "u32", height: "u32", width: "u32", top: "i32", left: "i32" },
  ...onSubgroups,
  variants: [
    ...transformVariants,
    ...(["lanes", "ends"] as const).flatMap((share) =>
      elements.flatMap((by) => [false, true].map((turned) => ({ tile: 4, turned, by, share }) as const)),
    ),
  ],
  main: (v: Transform) => {
    const { tile, turned, by, share } = v;
    if (share !== "none") return inputByLanes({ turned, by, ends: share === "ends" });
    const side = tile + 2;
    const row = winogradRows(tile).input;
    const columns = { array: "x", rows: side, width: "i32(p.width)", side, row };
    const last = runColumns(tile, side) - 1;
    return `
    ${eachRun("p.ci", v)}
      let plane = i32(((p.first + image) * p.ci + channel) * p.height * p.width);
      let row = i32(oh) - p.top;
      let column = i32(ow) - p.left;
      let dy = i32(p.dilationY);
      let dx = i32(p.dilationX);
      ${unroll(side, (r) => `let y${r} = row + ${r} * dy; let line${r} = plane + y${r} * i32(p.width); let in${r} = kept && y${r} >= 0 && y${r} < i32(p.height);`)}
      ${
        by === "fours"
          ? `${oneColumn(columns, 0, "column", "w")}
      ${unroll((last - 1) / 4, (q) => fourColumns(columns, 4 * q + 1, `column + ${4 * q + 1}`))}
      ${oneColumn(columns, last, `column + ${last}`, "x")}`
          : unroll(last + 1, (c) => oneColumn(columns, c, `column + ${c} * dx`))
      }
      ${unroll(
        side,
        (i) => `{
        ${unroll(side, (k) => `let c${k} = ${ofRun(tile, i, k)};`, " ")}
        ${unroll(side, (j) =>
          putRun(
            "v",
            "p.ci",
            v,
            side * i + j,
            row(j, (k) => `c${k}`),
          ),
        )}
      }`,
      )}
    }`;
  },
  dispatch: (p, v) => (v.share !== "none" ? lanesGroups(p, p.ci) : runGroups(p, p.ci, v.tile)),
  cost: (p, { tile }) => runCost(p, p.ci, { tile, flops: tile === 2 ? 32 : 240 }),
});

type WeightVariant = Tiled &
  Flips & {
    /**
     * A workgroup's pairs of channels are eight by eight, not 64 of u's neighbours, which stand far apart in w unless flipped:
     * a GPU then reads and writes whole sectors. Not of both packs, which are small.
     */
    blocks: boolean;
  };

/** The variant for weights that are flipped or not. */
export const weightVariant = ({ kind }: Pick<Hardware, "kind">, tile: WinogradTile, flip: Flip) => ({
  ...{ tile, flip, blocks: kind === "gpu" && flip === false },
});

/** w [co, ci, 3, 3] -> U [(m + 2)^2, ci, co rounded up to 4], or flipped, its taps backwards, [(m + 2)^2, co, ci rounded up to 4]. */
export const winogradWeight = defineKernel({
  name: "winograd_weight",
  bindings: (v: WeightVariant) => packBindings(v, "u", "read_write f32"),
  params: { ci: "u32", co: "u32" },
  variants: winogradTileSizes.flatMap((tile): WeightVariant[] => [
    ...flips.map((flip) => ({ tile, ...flip, blocks: false })),
    { tile, flip: false, blocks: true },
  ]),
  main: (v) => {
    const { tile, blocks } = v;
    const side = tile + 2;
    const row = winogradRows(tile).weight;
    return `
    ${linearMain(64)}
      ${
        blocks
          ? `
      let flip = false;
      let inner = p.ci;
      let outer = p.co;
      let pitch = (p.co + 3u) / 4u * 4u;
      let across = (pitch + 7u) / 8u;
      let o = group % across * 8u + lane % 8u;
      let i = group / across * 8u + lane / 8u;
      if (i >= inner || o >= pitch) { return; }
      let place = i * pitch + o;`
          : `
      ${packSpot(v, "4u")}
      let pitch = 4u * vecs;
      let o = spot % pitch;
      let i = spot / pitch;
      let place = spot;`
      }
      let kept = o < outer;
      let at = select(0u, ${packPair("o", "i")} * 9u, kept);
      ${unroll(9, (t) => `let g${Math.floor(t / 3)}_${t % 3} = select(0.0, w[at + select(${t}u, ${8 - t}u, flip)], kept);`)}
      ${unroll(side, (i) => unroll(3, (c) => `let t${i}_${c} = ${row(i, (k) => `g${k}_${c}`)};`, " "))}
      let size = inner * pitch;
      ${unroll(side, (i) => unroll(side, (j) => `let u${side * i + j} = ${row(j, (k) => `t${i}_${k}`)};`, " "))}
      ${intoPack(v, "u", (u) => unroll(side * side, (k) => `${u}[${k}u * size + place] = u${k};`))}
    }`;
  },
  dispatch: (p, v) =>
    v.blocks
      ? linearGroups(Math.ceil(p.ci / 8) * Math.ceil(p.co / 8), 1)
      : linearGroups(packThreads(p, v, 4), 64),
  cost: ({ ci, co }, v) => ({
    bytes: 4 * (9 + packCount(v) * winogradPlaces(v.tile)) * ci * co,
    flops: packCount(v) * (v.tile === 2 ? 50 : 110) * ci * co,
  }),
});

type WinogradOutputVariant = Transform & { residual: boolean };

/** M [(m + 2)^2, co, tiles], or turned, all images in one part, -> y [n, co, oh, ow], with the end of convRows. */
export const winogradOutput = defineKernel({
  name: "winograd_output",
  bindings: (v: WinogradOutputVariant) =>
    ({
      m: `read ${valueElement(v)}`,
      bias: "read f32",
      ...(v.residual && { residual: `read ${imageElement(v)}` }),
      y: `read_write ${imageElement(v)}`,
    }) as Record<"m" | "bias" | "residual" | "y", Binding>,
  params: {
    ...runParams,
    co: "u32",
    oh: "u32",
    ow: "u32",
    useBias: "u32",
    /** From one sample's bias to the next's: 0 where all have the same. */
    biasPitch: "u32",
    rescale: "f32",
  },
  ...onSubgroups,
  variants: [
    ...transformVariants.filter(({ turned, by }) => !(turned && by === "fours")),
    ...elements.map((by) => ({ tile: 4, turned: false, by, share: "lanes" }) as const),
  ].flatMap((v) => [false, true].map((residual): WinogradOutputVariant => ({ ...v, residual }))),
  main: ({ residual, ...v }) => {
    const { tile, by, share } = v;
    const side = tile + 2;
    const row = winogradRows(tile).output;
    const ended = (s: string) => (residual ? `(${s} + residual[out]) * p.rescale` : s);
    if (share !== "none") return outputByLanes(by, ended);
    const value = (s: string) => ended(`${s} + b`);
    return `
    ${eachRun("p.co", v)}
      if (!kept) { return; }
      let n = p.first + image;
      ${unroll(side, (i) => unroll(side, (j) => `let m${i}_${j} = ${getRun("m", "p.co", v, side * i + j)};`))}
      ${unroll(tile, (i) => unroll(side, (j) => `let t${i}_${j} = ${row(i, (k) => `m${k}_${j}`)};`, " "))}
      let b = select(0.0, bias[(n * p.biasPitch + channel) * p.useBias], p.useBias == 1u);
      let plane = (n * p.co + channel) * p.oh;
      ${unroll(
        tile,
        (i) => `
      if (oh + ${i}u * p.dilationY < p.oh) {
        let row = (plane + oh + ${i}u * p.dilationY) * p.ow;
        ${unroll(tile, (j) => `let s${j} = ${row(j, (k) => `t${i}_${k}`)};`, " ")}
        ${by === "fours" ? fours(tile, value) : singles(tile, value)}
      }`,
      )}
    }`;
  },
  dispatch: (p, v) => (v.share !== "none" ? lanesGroups(p, p.co) : runGroups(p, p.co, v.tile)),
  cost: (p, { tile }) => runCost(p, p.co, { tile, flops: tile === 2 ? 24 : 150 }),
});

type Ending = (sum: string) => string;

/** WGSL: output `column` of a run's row. */
const sumAt = (tile: WinogradTile, column: number): string =>
  runOf(tile) === 1 ? `s${column}` : `s${column % tile}.${components[Math.floor(column / tile)]}`;

/** WGSL: neighbouring sums of a row from `row + ow` on, as far as the row goes, one by one. */
const singles = (tile: WinogradTile, value: Ending): string =>
  unroll(
    runOf(tile) * tile,
    (c) =>
      `{ let column = ow + ${c}u * p.dilationX; if (column < p.ow) { let out = row + column; y[out] = ${value(sumAt(tile, c))}; } }`,
  );

/** WGSL: the same as vec4s. */
const fours = (tile: WinogradTile, value: Ending): string =>
  unroll((runOf(tile) * tile) / 4, (q) => {
    const sum = `vec4f(${range(4).map((c) => sumAt(tile, 4 * q + c))})`;
    return `{ let column = ow + ${4 * q}u; if (column < p.ow) { let out = (row + column) / 4u; y[out] = ${value(sum)}; } }`;
  });
