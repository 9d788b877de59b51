import { lanewise, meet, sumOf } from "./folds.ts";
import { type Binding, defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import { math } from "./lib/math.ts";
import { nearLib, partsOf, spanOf } from "./neighbours.ts";
import {
  activationSlope,
  activationValue,
  affine,
  affineBeside,
  affineLib,
  affineLibBeside,
  affineParams,
  type BeforeVariant,
  beforeBinding,
  dxBytes,
  type NormActivation,
  writeDx,
} from "./norm.ts";
import { elementType } from "./runs.ts";

/*
 * The norms of norm.ts for GPUs with subgroups in two launches each way, where no workgroup can keep all that shares
 * statistics: the maps of an image for instance norm++, those of a group else, which are called a span.
 *
 *   normPieces      each piece of a map     mean and sum of centred squares
 *   normSplit       a tile of a span        joins these itself, while what it reads of x is on its way, then y
 *   normGradPieces  each piece              S1 and S2, and what of them a span shares
 *   normGradSplit   a tile of a span        joins these itself, then dx
 *
 * Spans come last first: what was read last is what caches still hold.
 */

export type NormPiecesVariant = {
  /** Threads of a piece, or of a tile's share in a map: a power of two. */
  lanes: number;
  /** Places a thread reads at once. */
  each: number;
  /** Pieces of a workgroup, or maps of a tile. */
  rows: number;
  /** Places are vec4s: maps are multiples of 4. */
  vec: boolean;
};
type NormGradPiecesVariant = NormPiecesVariant & { act: NormActivation };
type NormSplitVariant = NormGradPiecesVariant & {
  /** Instance norm++: its span is an image. */
  plus: boolean;
};

type NormGradSplitVariant = NormSplitVariant & BeforeVariant;

const THREADS = 256;
/** Places of a piece that are worth a workgroup. */
const PIECE = 1024;
/** What a long map is cut into, best first; never more, for every tile reads the pieces of its span. */
const PIECES = [4, 2];

/** How maps of so many numbers are cut: into `pieces` of `size` places. */
export function normCut(columns: number): { vec: boolean; pieces: number; size: number } {
  const vec = columns % 4 === 0;
  const line = vec ? columns / 4 : columns;
  const pieces = PIECES.find((n) => line % n === 0 && line / n >= PIECE) ?? 1;
  return { vec, pieces, size: line / pieces };
}

const powerAbove = (n: number): number => 2 ** Math.ceil(Math.log2(n));

/** Threads for lines of `size` places, `most` of which a thread reads at once, and no more lines than there are together. */
export function normPiecesVariant(
  { vec, size }: { vec: boolean; size: number },
  most: number,
  together = THREADS,
): NormPiecesVariant {
  const each = Math.max(1, Math.min(most, powerAbove(size) / 4)); // four neighbours read whole sectors of memory
  const lanes = Math.min(THREADS, powerAbove(size / each));
  return { lanes, each, rows: Math.min(THREADS / lanes, powerAbove(together)), vec };
}

const threadsOf = ({ lanes, rows }: NormPiecesVariant): number => lanes * rows;

/** Ways to share out pieces that between them meet in every way; others compile on demand. */
const shares: readonly NormPiecesVariant[] = [
  { lanes: 64, each: 4, rows: 1, vec: true },
  { lanes: 4, each: 1, rows: 16, vec: true },
  { lanes: 16, each: 2, rows: 2, vec: false },
];
const usual: NormPiecesVariant = { lanes: 8, each: 2, rows: 4, vec: true };

/** Numbers of a place. */
const numbersOf = ({ vec }: { vec: boolean }): number => (vec ? 4 : 1);
const zero = ({ vec }: { vec: boolean }): string => `${elementType(vec)}()`;

/**
 * The thread's piece is `row`, of `size` places from `base` on; the thread's are `start` and every `lanes`-th from there. A
 * surplus piece repeats the last, for barriers want all threads.
 */
const head = (v: NormPiecesVariant): string => `
    ${linearMain(threadsOf(v), "@builtin(subgroup_size) width: u32")}
      let row = min(group * ${v.rows}u + lane / ${v.lanes}u, p.count - 1u);
      let base = row * p.size;
      let start = lane % ${v.lanes}u;
      let reach = min(width, ${spanOf(v.lanes)}u);`;
/** Runs `body` for each of the thread's places `at`, `each` at once; `inside` tells whether there is one. */
const alongPiece = (v: NormPiecesVariant, body: (k: number) => string): string => `
      for (var i = start; i < p.size; i += ${v.lanes * v.each}u) {
        ${unroll(v.each, (k) => `let inside${k} = i + ${k * v.lanes}u < p.size; let at${k} = base + min(i + ${k * v.lanes}u, p.size - 1u);`)}
        ${unroll(v.each, body)}
      }`;
/** What of a piece is left after neighbours have met: `part[e]` for these e. */
const eachPart = (v: NormPiecesVariant, body: string): string =>
  `for (var e = lane / reach; e < (lane + ${v.lanes}u) / reach; e++) { ${body} }`;

/**
 * x, as `count` pieces of `size` places -> moments [count, 2]: mean and sum of centred squares, x read once. A thread adds
 * up distances from the mean of its first place, which costs no digits that the sum of squares has: of n places one
 * brings at least 1 / n of the square of the way from its mean to that of all. Threads meet as Chan, Golub and LeVeque
 * 1979, their means taken from the piece's first number.
 */
export const normPieces = defineKernel({
  name: "norm_pieces",
  bindings: ({ vec }: NormPiecesVariant) =>
    ({ x: `read ${elementType(vec)}`, moments: "read_write f32" }) as const,
  params: { count: "u32", size: "u32" },
  lib: ({ lanes, vec }) => [sumOf(vec), nearLib(spanOf(lanes), "vec2f")],
  subgroups: () => true,
  variants: [usual, ...shares],
  main: (v: NormPiecesVariant) => `
    var<workgroup> part: array<vec4f, ${partsOf(threadsOf(v), spanOf(v.lanes))}>;
    ${head(v)}
      let pivot = x[base]${v.vec ? ".x" : ""};
      let middle = sum(x[base + min(start, p.size - 1u)]) / ${numbersOf(v)}.0;
      var a = ${zero(v)};
      var b = ${zero(v)};
      ${alongPiece(v, (k) => `let d${k} = select(${zero(v)}, x[at${k}] - middle, inside${k}); a += d${k}; b += d${k} * d${k};`)}
      let held = f32(${numbersOf(v)}u * ((p.size + ${v.lanes - 1}u - start) / ${v.lanes}u));
      let total = sum(a);
      let off = total / max(held, 1.0);
      let away = (middle - pivot) + off;
      let weight = near(vec2f(held, held * away), width);
      let joint = weight.y / max(weight.x, 1.0);
      let apart = away - joint;
      let around = near(vec2f(sum(b) - total * off + held * apart * apart, 0.0), width).x;
      if (lane % reach == 0u) { part[lane / reach] = vec4f(weight.x, joint, around, 0.0); }
      workgroupBarrier();
      if (start == 0u) {
        var mean = 0.0;
        ${eachPart(v, "mean += part[e].x * part[e].y;")}
        mean = mean / f32(${numbersOf(v)}u * p.size);
        var squares = 0.0;
        ${eachPart(v, "let d = part[e].y - mean; squares += part[e].z + part[e].x * d * d;")}
        moments[2u * row] = pivot + mean;
        moments[2u * row + 1u] = squares;
      }
    }`,
  dispatch: ({ count }, { rows }) => linearGroups(count, rows),
  cost: ({ count, size }, v) => ({
    bytes: 4 * numbersOf(v) * count * size,
    flops: 4 * numbersOf(v) * count * size,
  }),
});

/** Of what a tile belongs to: maps of a span, pieces of a map. */
const tileParams = { ...affineParams, span: "u32", pieces: "u32" } as const;

/** Places of a tile in each of its maps. */
const tile = ({ lanes, each }: NormPiecesVariant): number => lanes * each;

const tileGroups = ({ maps, hw, span }: Record<"maps" | "hw" | "span", number>, v: NormSplitVariant) =>
  linearGroups((maps / span) * Math.ceil(span / v.rows) * Math.ceil(hw / numbersOf(v) / tile(v)), 1);

/**
 * `first` map of the tile's span, and this thread's `map` and `column` there. A surplus map repeats the span's last, a
 * surplus workgroup a tile of the first span.
 */
const tileHead = (v: NormSplitVariant): string => `
    ${linearMain(threadsOf(v), "@builtin(subgroup_size) width: u32, @builtin(subgroup_invocation_id) place: u32")}
      let line = p.hw / ${numbersOf(v)}u;
      let across = (line + ${tile(v) - 1}u) / ${tile(v)}u;
      let tiles = (p.span + ${v.rows - 1}u) / ${v.rows}u * across;
      let later = group / tiles;
      let rest = group - later * tiles;
      let first = p.maps - min((later + 1u) * p.span, p.maps);
      let map = first + min(rest / across * ${v.rows}u + lane / ${v.lanes}u, p.span - 1u);
      let column = rest % across * ${tile(v)}u + lane % ${v.lanes}u;
      let f = affine(map);
      ${unroll(v.each, (k) => `let inside${k} = column + ${k * v.lanes}u < line; let at${k} = map * line + min(column + ${k * v.lanes}u, line - 1u);`)}`;
/** Runs `body` for the thread's share of the span's pieces `e`. */
const alongSpan = (v: NormSplitVariant, body: string): string =>
  `for (var e = first * p.pieces + lane; e < (first + p.span) * p.pieces; e += ${threadsOf(v)}u) { ${body} }`;

/** Adds up `name` over a tile's workgroup. */
const join = (v: NormSplitVariant, name: string): string =>
  meet({ by: "subgroup" }, name, "sum", threadsOf(v));

/** Subgroups of a tile's workgroup at most. */
const joined = (v: NormSplitVariant): number => partsOf(threadsOf(v), threadsOf(v));

/** Mean and centred squares of a whole map, out of those of its pieces. */
const ofMapLib = `
fn of_map(map: u32) -> vec2f {
  var mean = 0.0;
  for (var k = map * p.pieces; k < (map + 1u) * p.pieces; k++) { mean += moments[2u * k]; }
  mean = mean / f32(p.pieces);
  var squares = 0.0;
  for (var k = map * p.pieces; k < (map + 1u) * p.pieces; k++) {
    let d = moments[2u * k] - mean;
    squares += moments[2u * k + 1u] + d * d * (f32(p.hw) / f32(p.pieces));
  }
  return vec2f(mean, squares);
}`;

/** `mean`, `rstd`, `u` and `ustd` of the thread's map. */
const ofGroup = (v: NormSplitVariant): string => `
      var mean = 0.0;
      ${alongSpan(v, "mean += moments[2u * e];")}
      ${join(v, "mean")}
      mean = mean / f32(p.span * p.pieces);
      var squares = 0.0;
      ${alongSpan(
        v,
        `let d = moments[2u * e] - mean;
        squares += moments[2u * e + 1u] + d * d * (f32(p.hw) / f32(p.pieces));`,
      )}
      ${join(v, "squares")}
      let rstd = 1.0 / sqrt(squares / f32(p.span * p.hw) + p.eps);
      let u = 0.0;
      let ustd = 0.0;`;
const ofImage = (v: NormSplitVariant): string => `
      var m = 0.0;
      for (var c = first + lane; c < first + p.span; c += ${threadsOf(v)}u) { m += of_map(c).x; }
      ${join(v, "m")}
      m = m / f32(p.span);
      var spread = 0.0;
      for (var c = first + lane; c < first + p.span; c += ${threadsOf(v)}u) { let d = of_map(c).x - m; spread += d * d; }
      ${join(v, "spread")}
      let own = of_map(map);
      let mean = own.x;
      let rstd = 1.0 / sqrt(own.y / f32(p.hw) + p.eps);
      let ustd = select(0.0, 1.0 / sqrt(spread / f32(max(p.span, 2u) - 1u) + p.eps), p.span > 1u);
      let u = (mean - m) * ustd;`;

/** Every activation once, every way to share out once; others compile on demand. */
const splits: readonly NormSplitVariant[] = [
  { act: "none", plus: false, ...usual },
  { act: "elu", plus: true, ...usual },
  { act: "silu", plus: false, ...usual },
  { act: "relu", plus: true, ...usual },
  { act: "leakyRelu", plus: false, ...usual },
  ...shares.map((v, i) => ({ act: "silu" as const, plus: i !== 1, ...v })),
];

/** x and the moments of its pieces -> y, and the statistics of each map, as normStatistics writes them. */
export const normSplit = defineKernel({
  name: "norm_split",
  bindings: ({ vec }: NormSplitVariant) =>
    ({
      x: `read ${elementType(vec)}`,
      moments: "read f32",
      ...affine,
      statistics: "read_write vec4f",
      y: `read_write ${elementType(vec)}`,
    }) as const,
  params: { ...tileParams, eps: "f32" },
  lib: [...math, affineLib, ofMapLib],
  subgroups: () => true,
  variants: splits,
  main: (v: NormSplitVariant) => `
    var<workgroup> part: array<f32, ${joined(v)}>;
    fn act(z: f32) -> f32 { return ${activationValue[v.act]}; }
    ${tileHead(v)}
      ${unroll(v.each, (k) => `let x${k} = x[at${k}];`)}
      ${v.plus ? ofImage(v) : ofGroup(v)}
      let shift = f.y + f.x * f.z * u;
      ${unroll(
        v.each,
        (k) => `if (inside${k}) {
        let z = f.x * ((x${k} - mean) * rstd) + shift;
        y[at${k}] = ${lanewise(v.vec, (lane) => `act(z${lane})`)};
      }`,
      )}
      if (column == 0u) { statistics[map] = vec4f(mean, rstd, u, ustd); }
    }`,
  dispatch: (p, v) => tileGroups(p, v),
  cost: ({ maps, hw }) => ({ bytes: 8 * maps * hw, flops: 10 * maps * hw }),
});

/** What of x and dy the gradient is made of, at place k. */
const gradient = (v: NormPiecesVariant, k: number): string => `
      let h${k} = (x[at${k}] - s.x) * s.y;
      let z${k} = f.x * h${k} + shift;
      let g${k} = select(${zero(v)}, dy[at${k}] * ${lanewise(v.vec, (lane) => `slope(z${k}${lane})`)}, inside${k});`;

/**
 * told [count + maps, 4]: for each of `count` pieces of `size` places S1, S2, gamma alpha S1 and, for ++, u of its map, else
 * gamma S2; then each map's statistics, so that the second launch has one array less to bind.
 */
export const normGradPieces = defineKernel({
  name: "norm_grad_pieces",
  bindings: ({ vec }: NormPiecesVariant) =>
    ({
      x: `read ${elementType(vec)}`,
      dy: `read ${elementType(vec)}`,
      statistics: "read vec4f",
      ...affine,
      told: "read_write vec4f",
    }) as const,
  params: { ...affineParams, count: "u32", size: "u32", pieces: "u32", plus: "u32" },
  lib: ({ lanes, vec }) => [...math, affineLib, sumOf(vec), nearLib(spanOf(lanes), "vec2f")],
  subgroups: () => true,
  variants: splits.map(({ plus: _, ...v }) => v),
  main: (v: NormGradPiecesVariant) => `
    var<workgroup> part: array<vec2f, ${partsOf(threadsOf(v), spanOf(v.lanes))}>;
    fn slope(z: f32) -> f32 { return ${activationSlope[v.act]}; }
    ${head(v)}
      let map = row / p.pieces;
      let s = statistics[map];
      let f = affine(map);
      let shift = f.y + f.x * f.z * s.z;
      var sums = vec2f();
      ${alongPiece(v, (k) => `${gradient(v, k)} sums += vec2f(sum(g${k}), sum(g${k} * h${k}));`)}
      sums = near(sums, width);
      if (lane % reach == 0u) { part[lane / reach] = sums; }
      workgroupBarrier();
      if (start == 0u) {
        var total = vec2f();
        ${eachPart(v, "total += part[e];")}
        let scaled = f.x * total * vec2f(f.z, 1.0);
        told[row] = vec4f(total, scaled.x, select(scaled.y, s.z, p.plus == 1u));
        if (row % p.pieces == 0u) { told[p.count + map] = s; }
      }
    }`,
  dispatch: ({ count }, { rows }) => linearGroups(count, rows),
  cost: ({ count, size }, v) => ({
    bytes: 8 * numbersOf(v) * count * size,
    flops: 10 * numbersOf(v) * count * size,
  }),
});

/** `both`: what dx takes off of g and of xhat of the thread's map, and what it adds to all for ++. */
const ofGroupBack = (v: NormSplitVariant): string => `
      var both = vec2f();
      ${alongSpan(v, "both += told[e].zw;")}
      ${join(v, "both")}
      both = both / f32(p.span * p.hw);
      let dmu = 0.0;`;
const ofImageBack = (v: NormSplitVariant): string => `
      var along = vec2f();
      ${alongSpan(v, "along += told[e].z * vec2f(1.0, told[e].w);")}
      ${join(v, "along")}
      along = along / vec2f(f32(p.span), f32(max(p.span, 2u) - 1u));
      let both = f.x * own / f32(p.hw);
      let dmu = (f.x * f.z * own.x - along.x - s.z * along.y) * s.w;`;

/**
 * dx of x, dy and what normGradPieces tells, and d(gamma, beta, alpha) of each image side by side as normGradFactors writes
 * them.
 */
export const normGradSplit = defineKernel({
  name: "norm_grad_split",
  bindings: (v: NormGradSplitVariant) =>
    ({
      x: `read ${elementType(v.vec)}`,
      dy: `read ${elementType(v.vec)}`,
      told: "read vec4f",
      ...affineBeside(v),
      ...beforeBinding(v, v.vec),
      dx: `read_write ${elementType(v.vec)}`,
      grads: "read_write f32",
    }) as Record<keyof typeof affine | "x" | "dy" | "told" | "before" | "dx" | "grads", Binding>,
  params: { ...tileParams, width: "u32", dGammaAt: "u32", dBetaAt: "u32", dAlphaAt: "u32" },
  lib: (v) => [...math, affineLibBeside(v)],
  subgroups: () => true,
  variants: [
    ...splits.map((v): NormGradSplitVariant => ({ ...v, before: false })),
    ...shares.map((v): NormGradSplitVariant => ({ act: "silu", plus: v.vec, ...v, before: true })),
  ],
  main: (v: NormGradSplitVariant) => `
    var<workgroup> part: array<vec2f, ${joined(v)}>;
    fn slope(z: f32) -> f32 { return ${activationSlope[v.act]}; }
    ${tileHead(v)}
      let s = told[p.maps * p.pieces + map];
      let shift = f.y + f.x * f.z * s.z;
      ${unroll(v.each, (k) => gradient(v, k))}
      var own = vec2f();
      for (var e = map * p.pieces; e < (map + 1u) * p.pieces; e++) { own += told[e].xy; }
      ${v.plus ? ofImageBack(v) : ofGroupBack(v)}
      ${unroll(
        v.each,
        (k) =>
          `if (inside${k}) { ${writeDx(v, `at${k}`, `s.y * (f.x * g${k} - both.x - both.y * h${k}) + dmu / f32(p.hw)`)} }`,
      )}
      if (column == 0u) {
        let at = (map / p.channels) * p.width + map % p.channels;
        if (p.useGamma == 1u) { grads[at + p.dGammaAt] = own.y + f.z * s.z * own.x; }
        if (p.useBeta == 1u) { grads[at + p.dBetaAt] = own.x; }
        if (p.useAlpha == 1u) { grads[at + p.dAlphaAt] = f.x * s.z * own.x; }
      }
    }`,
  dispatch: (p, v) => tileGroups(p, v),
  cost: ({ maps, hw }, v) => ({ bytes: (8 + dxBytes(v)) * maps * hw, flops: 24 * maps * hw }),
});
