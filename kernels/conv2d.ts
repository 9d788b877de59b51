import { common, LANES, ownLane } from "./broadcast.ts";
import {
  type Flips,
  flips,
  intoPack,
  packBindings,
  packCount,
  packPair,
  packSpot,
  packThreads,
} from "./conv-packs.ts";
import { readSpan, type Span } from "./conv-span.ts";
import {
  type Binding,
  type Cost,
  defineKernel,
  type Groups,
  linearGroups,
  linearMain,
  unroll,
} from "./kernel.ts";

/*
 * Convolution NCHW, weight [co, ci, kh, kw], any stride, padding and dilation. Everything heavy runs on a padded
 * copy of its input, so that no tap is ever out of range and neighbours come four at a time:
 *
 *   forward          y  = convRows(pad(x), packed w)
 *   input gradient   dx = convRows(pad(dy, zeros stuffed between for a stride), packed w flipped and transposed)
 *   weight gradient  dw = sum over splits of convWeightRows(pad(dy), pad(x)): see conv-weight-rows.ts
 *
 * convRows and convWeightRows keep a tile of outputs of one image row in registers and reuse each loaded input for
 * all taps of a kernel row.
 */

/** w [co, ci, kh, kw] -> [ci, kh, kw, co rounded up to 4], or flipped, [co, kh, kw reversed, ci rounded up to 4]. */
export const convPackWeight = defineKernel({
  name: "conv_pack_weight",
  bindings: (v: Flips) => packBindings(v, "y", "read_write vec4f"),
  params: { co: "u32", ci: "u32", kh: "u32", kw: "u32" },
  variants: flips,
  main: (v) => `
    ${linearMain(64)}
      let taps = p.kh * p.kw;
      ${packSpot(v, "taps")}
      let o = spot % vecs * 4u;
      let line = spot / vecs;
      let i = line / taps;
      let tap = select(line % taps, taps - 1u - line % taps, flip);
      ${unroll(4, (q) => `let v${q} = select(0.0, w[${packPair(`(o + ${q}u)`, "i")} * taps + tap], o + ${q}u < outer);`)}
      ${intoPack(v, "y", (y) => `${y}[spot] = vec4f(v0, v1, v2, v3);`)}
    }`,
  dispatch: ({ kh, kw, ...p }, v) => linearGroups(packThreads(p, v, kh * kw), 64),
  cost: ({ co, ci, kh, kw }, v) => ({ bytes: 4 * (1 + packCount(v)) * co * ci * kh * kw, flops: 0 }),
});

export type ConvRowsVariant = Span & {
  /** Output channels of a thread, and its neighbouring columns: multiples of 4. */
  rows: number;
  /** Threads of a workgroup: the vector width of a CPU driver, a warp or two of a GPU. */
  lanes: number;
  /** Lanes hand each other what they share, the weights or dy: see broadcast.ts. */
  broadcast: boolean;
};

/** Tiles that fit registers, the plainest first. Larger ones take a software driver a minute to compile. */
export const convTileSizes = [
  { rows: 4, columns: 4 },
  { rows: 4, columns: 8 },
  { rows: 8, columns: 4 },
  { rows: 8, columns: 8 },
] as const;

/** More of those that broadcast: what a thread reads for itself, it reads for more channels. */
export const tallTileSizes = [
  { rows: 16, columns: 4 },
  { rows: 16, columns: 8 },
] as const;

type ConvForwardVariant = ConvRowsVariant & {
  /** What comes back is (sum + residual) * rescale: the end of a residual block. */
  residual: boolean;
};

/** x [n, ci, lines, pitch], padded or bare, w packed [ci, kh, kw, coVecs] and what comes out, [n, co, oh, ow]. */
export const convRowsParams = {
  n: "u32",
  ci: "u32",
  co: "u32",
  oh: "u32",
  ow: "u32",
  lines: "u32",
  pitch: "u32",
  coVecs: "u32",
  kh: "u32",
  strideY: "u32",
  dilationY: "u32",
  /** Lines of zeros above a bare x. */
  top: "u32",
  useBias: "u32",
  /** From one sample's bias to the next's: 0 where all have the same. */
  biasPitch: "u32",
} as const;

/**
 * WGSL of a convolution by rows up to its sums, over `convRowsParams`. `end` is what becomes of channel r of a tile: the
 * names s{r}_{c} are its sums with column + c, `b` its bias, `co` the channel, `line` the place of its first column.
 */
export const convSums = (v: ConvRowsVariant, end: (r: number) => string): string => {
  const span = readSpan(v);
  const rowVecs = v.rows / 4;
  const weights = common({ name: "w", array: "w", lines: v.kw, length: rowVecs, pitch: "p.coVecs", ...v });
  return `
  ${linearMain(v.lanes, ownLane(v.broadcast))}
    let tiles = (p.ow + ${v.columns - 1}u) / ${v.columns}u;
    let spots = p.n * p.oh * tiles;
    let across = (spots + ${v.lanes - 1}u) / ${v.lanes}u;
    let row = (group / across) * ${rowVecs}u;
    let mine = (group % across) * ${v.lanes}u + lane;
    if (row * 4u >= p.co) { return; }
    let spot = min(mine, spots - 1u);
    let column = (spot % tiles) * ${v.columns}u;
    let oh = (spot / tiles) % p.oh;
    let n = spot / (tiles * p.oh);
    let vecs = p.pitch / 4u;
    ${span.edges("column / 4u", "vecs")}
    var plane = n * p.ci * p.lines * vecs + column * ${v.strideX}u / 4u;
    let above = oh * p.strideY${v.bare ? " - p.top" : ""};
    var tap = row;
    ${weights.places}
    ${unroll(v.rows, (r) => unroll(v.columns, (c) => `var s${r}_${c} = 0.0;`, " "))}
    for (var ci = 0u; ci < p.ci; ci++) {
      var y = above;
      for (var kh = 0u; kh < p.kh; kh++) {
        ${v.bare ? "let there = y < p.lines; let i = plane + select(0u, y, there) * vecs;" : "let i = plane + y * vecs;"}
        ${span.read("let", "x", "i", "there")}
        ${weights.read("tap")}
        tap += ${v.kw}u * p.coVecs;
        ${unroll(
          v.rows,
          (r) => `{
          ${unroll(v.kw, (k) => `let f${k} = ${weights.float(k, r)};`, " ")}
          ${unroll(v.columns, (c) =>
            unroll(
              v.kw,
              (k) => `s${r}_${c} += f${k} * ${span.float("x", c * v.strideX + k * v.dilationX)};`,
              " ",
            ),
          )}
        }`,
        )}
        y += p.dilationY;
      }
      plane += p.lines * vecs;
    }
    ${unroll(
      v.rows,
      (r) => `
    if (mine < spots && row * 4u + ${r}u < p.co) {
      let co = row * 4u + ${r}u;
      let b = select(0.0, bias[(n * p.biasPitch + co) * p.useBias], p.useBias == 1u);
      let line = ((n * p.co + co) * p.oh + oh) * p.ow + column;
      ${end(r)}
    }`,
    )}
  }`;
};

/**
 * y [n, co, oh, ow] from x [n, ci, lines, pitch], padded or bare, and w packed [ci, kh, kw, coVecs].
 * Lanes are tiles of neighbouring columns; the channels of a group are one for all its lanes.
 */
export const convRows = defineKernel({
  name: "conv_rows",
  bindings: ({ residual }: ConvForwardVariant) =>
    ({
      x: "read vec4f",
      w: "read vec4f",
      bias: "read f32",
      ...(residual && { residual: "read f32" }),
      y: "read_write f32",
    }) as Record<"x" | "w" | "bias" | "residual" | "y", Binding>,
  params: { ...convRowsParams, rescale: "f32" },
  subgroups: ({ broadcast }) => broadcast,
  subgroupSize: ({ broadcast }) => (broadcast ? LANES : undefined),
  variants: convVariants().flatMap((v) =>
    (v.rows === 8 && v.columns === 8 ? [false, true] : [false]).map(
      (residual): ConvForwardVariant => ({ ...v, residual }),
    ),
  ),
  main: (v: ConvForwardVariant) =>
    convSums(v, (r) =>
      unroll(v.columns, (c) => {
        const y = v.residual ? `(s${r}_${c} + b + residual[line + ${c}u]) * p.rescale` : `s${r}_${c} + b`;
        return `${c === 0 ? "" : `if (column + ${c}u < p.ow) `}{ y[line + ${c}u] = ${y}; }`;
      }),
    ),
  dispatch: (p, v) => convRowsGroups(p, v),
  cost: (p, v) => convRowsCost(p, v),
});

type ConvRowsSize = Readonly<Record<keyof typeof convRowsParams, number>>;

export function convRowsGroups({ n, co, oh, ow }: ConvRowsSize, v: ConvRowsVariant): Groups {
  return linearGroups(Math.ceil((n * oh * Math.ceil(ow / v.columns)) / v.lanes) * Math.ceil(co / v.rows), 1);
}

export function convRowsCost(
  { n, ci, co, oh, ow, lines, pitch, kh }: ConvRowsSize,
  v: ConvRowsVariant,
): Cost {
  return {
    bytes: 4 * (n * ci * lines * pitch + n * co * oh * ow + ci * co * kh * v.kw),
    flops: 2 * n * co * oh * ow * ci * kh * v.kw,
  };
}

/** Shapes the networks use and odd ones beside them, one of them with all tiles; others compile on demand. */
export function convVariants(): ConvRowsVariant[] {
  const lanes = LANES;
  const bare = false;
  const usual: Omit<ConvRowsVariant, "kw" | "strideX" | "dilationX">[] = [
    { rows: 8, columns: 8, bare, lanes, broadcast: false },
    { rows: 8, columns: 8, bare, lanes, broadcast: true },
    { rows: 8, columns: 8, bare, lanes: 64, broadcast: false },
  ];
  const plain = { rows: 4, columns: 4, bare: true, lanes, broadcast: false };
  const more = [
    ...convTileSizes.map((tile) => ({ ...tile, bare, lanes, broadcast: false })),
    ...[...convTileSizes, ...tallTileSizes].map((tile) => ({ ...tile, bare, lanes, broadcast: true })),
  ].filter((tile) => tile.rows !== 8 || tile.columns !== 8);
  const large = [4, 8].map((columns) => ({ ...plain, rows: 8, columns, broadcast: true }));
  const shapes = [
    [3, 1, 1],
    [1, 1, 1],
    [3, 1, 2],
    [3, 2, 1],
    [4, 2, 1],
    [5, 1, 1],
  ] as const;
  return shapes.flatMap(([kw, strideX, dilationX], i) =>
    [
      ...usual,
      ...(i === 0 ? [...more, ...large] : []),
      ...(strideX === 1 && kw % 2 === 1 ? [plain] : []),
    ].map((tile) => ({
      kw,
      strideX,
      dilationX,
      ...tile,
    })),
  );
}
