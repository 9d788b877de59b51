import { components, unroll } from "./kernel.ts";

/*
 * The heart of matrix products on a GPU: a workgroup computes a tile of C out of slabs of both operands that stand in
 * workgroup memory, in vec4s along the tile's rows (ta) and columns (tb), so that one inner loop serves all layouts. A
 * vec4 at a time matters: each access of a workgroup or storage array has its index clamped, one for four floats.
 *
 * A thread's rows, and its columns, come in fours that stand far apart, so that neighbouring threads read neighbouring
 * vec4s. Products are added in the order of k whatever the tile.
 */

export type Tile = {
  /** Rows and columns of C that a workgroup computes, and what of k it holds at once: powers of two from 8. */
  rows: number;
  columns: number;
  slab: number;
  /** Rows and columns of C that a thread computes. */
  eachRows: 4 | 8;
  eachColumns: 4 | 8;
  /**
   * The products of a slab are written out, for GPUs' drivers unroll such a loop in part: an H200 gains a tenth. LLVM is long
   * over so much.
   */
  written: boolean;
};

/** Threads of a workgroup. */
export const tileThreads = ({ rows, columns, eachRows, eachColumns }: Tile): number =>
  (rows / eachRows) * (columns / eachColumns);
/** vec4s of a line of a slab. One more than the tile has: an odd pitch spreads transposed stores over the banks. */
const pitch = (length: number): number => length / 4 + 1;
/** Bytes of workgroup memory: a slab of both operands. */
export const tileBytes = ({ rows, columns, slab }: Tile): number =>
  16 * slab * (pitch(rows) + pitch(columns));

/** WGSL: the workgroup arrays. */
export const tileArrays = ({ rows, columns, slab }: Tile): string => `
    var<workgroup> ta: array<vec4f, ${slab * pitch(rows)}>;
    var<workgroup> tb: array<vec4f, ${slab * pitch(columns)}>;`;

/** Column tiles that are walked down together: what one row of tiles reads, the next finds in the cache. */
const PANEL = 8;

/** WGSL: where in C a workgroup's tile `m0`, `n0`, `batch` and its thread (`down`, `across`) stand, over p.m and p.n. */
export const tilePlace = ({ rows, columns, eachColumns }: Tile): string => `
      let tilesAcross = (p.n + ${columns - 1}u) / ${columns}u;
      let tilesDown = (p.m + ${rows - 1}u) / ${rows}u;
      let batch = group / (tilesAcross * tilesDown);
      let place = group % (tilesAcross * tilesDown);
      let panel = place / (${PANEL}u * tilesDown) * ${PANEL}u;
      let wide = min(${PANEL}u, tilesAcross - panel);
      let inPanel = place % (${PANEL}u * tilesDown);
      let m0 = inPanel / wide * ${rows}u;
      let n0 = (panel + inPanel % wide) * ${columns}u;
      // Of 32 threads 8 stand across and 4 down, so that neighbours in twos, and twos of those, read the same vec4s.
      let across = lane / 32u % ${columns / eachColumns / 8}u * 8u + lane / 2u % 8u;
      let down = lane / ${(columns / eachColumns) * 4}u * 4u + lane / 16u % 2u * 2u + lane % 2u;`;

/** Workgroups for C [batch, m, n]. */
export const tileCount = (
  batch: number,
  m: number,
  n: number,
  { rows, columns }: Pick<Tile, "rows" | "columns">,
): number => batch * Math.ceil(n / columns) * Math.ceil(m / rows);

/** WGSL: the thread's sums, s{row}_{four of columns}. */
export const tileSums = ({ eachRows, eachColumns }: Tile): string =>
  unroll(eachRows, (r) => unroll(eachColumns / 4, (q) => `var s${r}_${q} = vec4f();`, " "));

/** Terms of k whose products are written out, one after the other. */
const WRITTEN = 16;

/** WGSL: adds the products of one of k's terms in a slab. */
const tileTerm = ({ rows, columns, eachRows, eachColumns }: Tile, k: (pitch: number) => string): string => `{
          ${unroll(eachRows / 4, (q) => `let a${q} = ta[${k(pitch(rows))} + ${(q * rows) / eachRows}u + down];`)}
          ${unroll(eachColumns / 4, (q) => `let b${q} = tb[${k(pitch(columns))} + ${(q * columns) / eachColumns}u + across];`)}
          ${unroll(eachRows, (r) =>
            unroll(eachColumns / 4, (q) => `s${r}_${q} += a${r >> 2}.${components[r & 3]} * b${q};`, " "),
          )}
        }`;

/** WGSL: adds the products of so many terms, an expression that no compiler knows, or it would unroll the loop. */
const tileTerms = (v: Tile, terms: string): string =>
  `for (var k = 0u; k < ${terms}; k++) ${tileTerm(v, (pitch) => `k * ${pitch}u`)}`;

/** WGSL: adds a slab's products. */
function tileProducts(v: Tile): string {
  const { slab, written } = v;
  if (!written) return tileTerms(v, `min(steps, 1u) * ${slab}u`);
  if (slab <= WRITTEN) return unroll(slab, (k) => tileTerm(v, (pitch) => `${k * pitch}u`));
  return `
        for (var k = 0u; k < ${slab}u; k += ${WRITTEN}u) {
          ${unroll(WRITTEN, (i) => tileTerm(v, (pitch) => `(k + ${i}u) * ${pitch}u`))}
        }`;
}

/** WGSL: what becomes of each four of sums within the matrix; `end` gets a row, four columns and their number `q`. */
export const tileEnds = (
  v: Tile,
  end: (row: string, value: string, column: string, q: number) => string,
): string =>
  unroll(
    v.eachRows,
    (r) => `{
        let row = m0 + down * 4u + ${((r >> 2) * 4 * v.rows) / v.eachRows + (r & 3)}u;
        if (row < p.m) {
          ${unroll(v.eachColumns / 4, (q) => end("row", `s${r}_${q}`, `(n0 + across * 4u + ${(q * 4 * v.columns) / v.eachColumns}u)`, q))}
        }
      }`,
  );

/**
 * How one operand comes into its workgroup array. A load brings a vec4 along the tile, or a block of four by four that
 * lies along k and is transposed in registers.
 */
interface Place {
  /** "a": rows of the tile; "b": its columns. */
  readonly name: "a" | "b";
  readonly length: number;
  readonly alongK: boolean;
}

/** An operand that is put together of what stands anywhere. */
interface Gathered extends Place {
  /**
   * WGSL, an expression: four floats from (place of C `i`, k index `k`), along k or along the tile; zeros where k is
   * beyond the end. What lies beyond C's end is never stored and may be anything. `j`: which of four loads, i + j given.
   */
  readonly load: (i: string, k: string, j: number) => string;
  /** Each of four lines along k is put together of single floats: more neighbours read along k. */
  readonly gathered?: boolean;
  /** WGSL, statements over `i` and `k` before the load, or the four loads, of one place. */
  readonly prepare?: string;
}

/** An operand with even steps, through which a pointer walks. */
interface Strided extends Place {
  /** WGSL, expressions: where the matrix begins, and the steps from one place of C, and of k, to the next. */
  readonly base: string;
  readonly step: string;
  readonly stepK: string;
  /** The array holds vec4s, else floats. */
  readonly vec: boolean;
}

type Side = Gathered | Strided;

/** Where the t-th load of a thread stands: four of the tile `i`, of the slab `k`, both counted in elements. */
function spot(side: Side, slab: number, threads: number, t: number): { i: string; k: string } {
  const { length, alongK } = side;
  const gathered = "gathered" in side && side.gathered;
  const at = `(lane + ${t * threads}u)`;
  const fours = length / 4;
  if (!alongK) return { i: `${at} % ${fours}u`, k: `${at} / ${fours}u` };
  if (gathered) return { i: `${at} / ${slab / 4}u`, k: `${at} % ${slab / 4}u * 4u` };
  // Two neighbours of a line are neighbouring threads: whole sectors are read, and stores meet eight banks.
  return { i: `${at} / 2u % ${fours}u`, k: `(${at} % 2u * 4u + ${at} / ${2 * fours}u * 8u)` };
}

const loadsOf = (side: Side, slab: number, threads: number) => {
  const units = (side.length / 4) * (side.alongK ? slab / 4 : slab);
  return Array.from({ length: Math.ceil(units / threads) }, (_, t) => {
    const rest = units - t * threads;
    return {
      t,
      guard: rest < threads ? `if (lane < ${rest}u) ` : "",
      ...spot(side, slab, threads, t),
      parts: side.alongK ? 4 : 1,
    };
  });
};

const registers = (side: Side, slab: number, threads: number): string =>
  loadsOf(side, slab, threads)
    .map(({ t, parts }) => unroll(parts, (j) => `var ${side.name}${t}_${j}: vec4f;`, " "))
    .join(" ");

/** WGSL: statements that put a slab's loads into registers. */
const gatheredLoads = (side: Gathered, threads: number, slab: number): string =>
  loadsOf(side, slab, threads)
    .map(
      ({ t, guard, i, k, parts }) => `${guard}{
          let i = ${i} * 4u + ${originOf(side)};
          let k = ${k} + k0;
          ${side.prepare ?? ""}
          ${unroll(parts, (j) => `${side.name}${t}_${j} = ${side.load(j === 0 ? "i" : `(i + ${j}u)`, "k", j)};`)}
        }`,
    )
    .join("\n");

const originOf = ({ name }: Place): string => (name === "a" ? "m0" : "n0");
const unitOf = ({ vec }: Strided): string => (vec ? " / 4u" : "");

/** WGSL: where a thread's first load stands, from place to place and from load to load, and from slab to slab. */
function pointer(side: Strided, threads: number, slab: number): string {
  const { name, base, step, stepK } = side;
  const { i, k } = spot(side, slab, threads, 0);
  const unit = unitOf(side);
  return `
      var ${name}At = (${base} + (${i} * 4u + ${originOf(side)}) * ${step} + ${k} * ${stepK})${unit};
      let ${name}Line = ${step}${unit};
      let ${name}Load = ${kOfLoad(side, threads)}u * ${stepK}${unit};
      let ${name}Slab = ${slab}u * ${stepK}${unit};`;
}

/** From a thread's load to its next one along k. Its place along the tile stays. */
const kOfLoad = ({ length, alongK }: Strided, threads: number): number =>
  alongK ? (8 * threads) / (length / 2) : threads / (length / 4);

/**
 * WGSL: loads by a pointer, zeros where k is not below `end`, if that is told. What is read beyond C's end is never stored;
 * what lies beyond a buffer's is some number.
 */
function walkedLoads(side: Strided, threads: number, slab: number, end?: string): string {
  const { name, alongK, vec } = side;
  return loadsOf(side, slab, threads)
    .map(({ t, guard, k, parts }) => {
      const within = (value: string, q: number) =>
        end ? `select(${vec ? "vec4f()" : "0.0"}, ${value}, k0 + ${k} + ${alongK ? q : 0}u < ${end})` : value;
      const load = (j: number) => {
        const at = `${name}At + ${t}u * ${name}Load + ${j}u * ${name}Line`;
        return vec
          ? within(`${name}[${at}]`, 0)
          : `vec4f(${[0, 1, 2, 3].map((q) => within(`${name}[${at} + ${q}u]`, q)).join(", ")})`;
      };
      return `${guard}{ ${unroll(parts, (j) => `${name}${t}_${j} = ${load(j)};`, " ")} }`;
    })
    .join("\n");
}

const stores = (side: Side, slab: number, threads: number): string =>
  loadsOf(side, slab, threads)
    .map(({ t, guard, i, k, parts }) => {
      const part = (j: number) => `${side.name}${t}_${j}`;
      const value = (j: number) =>
        parts === 1
          ? part(0)
          : `vec4f(${Array.from({ length: 4 }, (_, r) => `${part(r)}.${components[j]}`).join(", ")})`;
      return `${guard}{
          let at = (${k}) * ${pitch(side.length)}u + ${i};
          ${unroll(parts, (j) => `t${side.name}[at + ${j * pitch(side.length)}u] = ${value(j)};`)}
        }`;
    })
    .join("\n");

const both = <S>(a: S, b: S, text: (side: S) => string): string => `${text(a)}\n${text(b)}`;

/**
 * WGSL: the products of `steps` slabs, an expression that is the same for the whole workgroup. The k of a load counts from
 * the variable k0; `next` is what leads from one slab's loads to the following one's.
 */
export function gatheredLoop(
  v: Tile,
  a: Gathered,
  b: Gathered,
  { steps, next }: { steps: string; next: string },
): string {
  const threads = tileThreads(v);
  const fetch = `${both(a, b, (side) => gatheredLoads(side, threads, v.slab))}\n${next}`;
  return `
      var k0 = 0u;
      let steps = ${steps};
      ${both(a, b, (side) => registers(side, v.slab, threads))}
      ${slabs(v, a, b, fetch)}`;
}

/** WGSL: the same of `end` terms of k: whole slabs, of which nothing has to be asked, and what is left. */
export function stridedLoop(v: Tile, a: Strided, b: Strided, end: string): string {
  const threads = tileThreads(v);
  const fetch = `
          ${both(a, b, (side) => walkedLoads(side, threads, v.slab))}
          aAt += aSlab;
          bAt += bSlab;`;
  return `
      let steps = ${end} / ${v.slab}u;
      ${both(a, b, (side) => registers(side, v.slab, threads))}
      ${both(a, b, (side) => pointer(side, threads, v.slab))}
      ${slabs(v, a, b, fetch)}
      if (steps * ${v.slab}u < ${end}) {
        let k0 = steps * ${v.slab}u;
        ${both(a, b, (side) => walkedLoads(side, threads, v.slab, end))}
        ${both(a, b, (side) => stores(side, v.slab, threads))}
        workgroupBarrier();
        ${tileTerms(v, `${end} - k0`)}
      }`;
}

/** WGSL: while a slab is multiplied the next one is on its way to registers. */
const slabs = (v: Tile, a: Side, b: Side, fetch: string): string => `
      if (steps > 0u) {
        ${fetch}
      }
      for (var step = 0u; step < steps; step++) {
        ${both(a, b, (side) => stores(side, v.slab, tileThreads(v)))}
        workgroupBarrier();
        if (step + 1u < steps) {
          ${fetch}
        }
        ${tileProducts(v)}
        workgroupBarrier();
      }`;
