/** Laws of Markov chains on the line in float64: what averages over a sampler's chains can be held against. */

/** x <- map(x), or x <- x + noise z with z ~ N(0, 1). */
export type Move = { readonly map: (x: number) => number } | { readonly noise: number };
export type LineFunction = (x: number) => number;

export interface Normal {
  readonly mean: number;
  readonly variance: number;
}

/** Where chains come to that start from a Gaussian. */
export interface LineLaw {
  /** The means of functions there. */
  means(f: readonly LineFunction[]): number[];
}

/** Of chains whose maps are affine: a Gaussian again. */
export function gaussianAt(start: Normal, moves: readonly Move[]): Normal {
  let { mean, variance } = start;
  for (const move of moves) {
    if ("noise" in move) variance += move.noise ** 2;
    else {
      variance *= (move.map(1) - move.map(0)) ** 2;
      mean = move.map(mean);
    }
  }
  return { mean, variance };
}

export const gaussianLaw = (start: Normal, moves: readonly Move[]): LineLaw => {
  const { mean, variance } = gaussianAt(start, moves);
  return { means: (f) => f.map((value) => overNormal(value, mean, Math.sqrt(variance), FINE)) };
};

/** How finely means are taken: sums over z, and nodes of a table of functions. */
export interface Resolution {
  readonly dz: number;
  readonly nodes: number;
}
const USUAL: Resolution = { dz: 0.4, nodes: 501 };
const FINE = 0.05;
/** For starts that only maps follow: they squeeze the gap between two parts of a mixture to next to nothing. */
const FINEST = 1e-3;
const REACH = 6.5;

/**
 * Of any chains, by Kolmogorov's backward equation: the mean of f at the end, given x now, is a function of x, which each
 * move changes from the end on; its mean over the start is what is asked for. The functions are tables, close where the
 * data are and wide where the noise is, with cubic interpolation. Moves before the first noise are made as they are.
 */
export function chainLaw(start: Normal, moves: readonly Move[], resolution = USUAL): LineLaw {
  const found = moves.findIndex((move) => "noise" in move && move.noise > 0);
  const first = found < 0 ? moves.length : found;
  const [opening, rest] = [moves.slice(0, first), moves.slice(first)];
  const opened = (x: number) => opening.reduce((at, move) => ("map" in move ? move.map(at) : at), x);
  const deviation = Math.sqrt(start.variance);
  const reach = 12 * Math.max(1, Math.abs(start.mean) + deviation);
  return {
    means(f) {
      const table = rest.length > 0 ? new Table(reach, resolution.nodes, f) : undefined;
      for (const move of rest.toReversed()) table?.before(move, resolution.dz);
      const totals = f.map(() => 0);
      const dz = !table ? FINEST : opening.length > 0 ? FINE : resolution.dz;
      for (const [z, weight] of normalNodes(dz)) {
        const x = opened(start.mean + deviation * z);
        if (table) table.addAt(x, weight, totals);
        else for (const [k, value] of f.entries()) totals[k]! += weight * value(x);
      }
      return totals;
    },
  };
}

/** The mean of a function over N(mean, deviation^2). */
function overNormal(f: LineFunction, mean: number, deviation: number, dz: number): number {
  return normalNodes(dz).reduce((total, [z, weight]) => total + weight * f(mean + deviation * z), 0);
}

/** The trapezoid rule over N(0, 1), which is exact to rounding for smooth functions. */
function normalNodes(dz: number): (readonly [z: number, weight: number])[] {
  const half = Math.ceil(REACH / dz);
  const zs = Array.from({ length: 2 * half + 1 }, (_, i) => (i - half) * dz);
  const total = zs.reduce((sum, z) => sum + Math.exp(-0.5 * z * z), 0);
  return zs.map((z) => [z, Math.exp(-0.5 * z * z) / total]);
}

/** Functions on nodes x = CLOSE sinh(u), u in equal steps. */
class Table {
  readonly #step: number;
  readonly #edge: number;
  readonly #nodes: Float64Array;
  /** A row of all functions for each node. */
  #rows: number[][];

  constructor(reach: number, nodes: number, f: readonly LineFunction[]) {
    this.#edge = Math.asinh(reach / CLOSE);
    this.#step = (2 * this.#edge) / (nodes - 1);
    this.#nodes = Float64Array.from(
      { length: nodes },
      (_, i) => CLOSE * Math.sinh(i * this.#step - this.#edge),
    );
    this.#rows = Array.from(this.#nodes, (x) => f.map((value) => value(x)));
  }

  /** The functions' means before a move, given x there. */
  before(move: Move, dz: number): void {
    if ("noise" in move && move.noise === 0) return;
    const spread: readonly (readonly [number, number])[] = "map" in move ? [[0, 1]] : normalNodes(dz);
    this.#rows = Array.from(this.#nodes, (x) => {
      const row = this.#rows[0]!.map(() => 0);
      for (const [z, weight] of spread)
        this.addAt("map" in move ? move.map(x) : x + move.noise * z, weight, row);
      return row;
    });
  }

  /** Adds the functions at x, by the cubic through the four nearest nodes, times a weight. */
  addAt(x: number, weight: number, totals: number[]): void {
    const place = (Math.asinh(x / CLOSE) + this.#edge) / this.#step;
    const i = Math.min(Math.max(Math.floor(place) - 1, 0), this.#rows.length - 4);
    const s = place - i;
    const a = (-weight * (s - 1) * (s - 2) * (s - 3)) / 6;
    const b = (weight * s * (s - 2) * (s - 3)) / 2;
    const c = (-weight * s * (s - 1) * (s - 3)) / 2;
    const d = (weight * s * (s - 1) * (s - 2)) / 6;
    const [p, q, r, t] = [this.#rows[i]!, this.#rows[i + 1]!, this.#rows[i + 2]!, this.#rows[i + 3]!];
    for (let k = 0; k < totals.length; k++) totals[k]! += a * p[k]! + b * q[k]! + c * r[k]! + d * t[k]!;
  }
}
const CLOSE = 0.5;
