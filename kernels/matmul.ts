import { broadcasts, common, LANES, ownLane } from "./broadcast.ts";
import { type Binding, defineKernel, type Hardware, linearGroups, linearMain, unroll } from "./kernel.ts";
import {
  lanes,
  stridedLoop,
  type Tile,
  tileArrays,
  tileBytes,
  tileCount,
  tileEnds,
  tilePlace,
  tileSums,
  tileThreads,
} from "./tile.ts";
import { heldTiles, type ProductShape, testedTiles, usualTile } from "./tile-choice.ts";

/*
 * C [batch, m, n] = A B. Two kernels, because two kinds of machine want opposite things:
 *
 * | kernel         | tile             | reads                                   | taken on            |
 * | matmulRegister | 4 to 32 rows     | packed A^T and B, no workgroup memory   | CPU drivers         |
 * | matmulShared   | 32x32 to 128x64  | any layout, through workgroup memory    | GPUs                |
 *
 * On a CPU driver lanes are the eight floats of a vector register: barriers split the program, the whole tile lives in
 * registers and L1, and where subgroups have eight lanes, what lanes share is broadcast.
 */

export type RegisterTile = {
  /** Rows and columns of C that a thread computes, multiples of 4. */
  rows: number;
  columns: number;
};

export type RegisterVariant = RegisterTile & {
  /** Lanes hand each other what they share of A: see broadcast.ts. */
  broadcast: boolean;
};

/** Terms of k that a turn of the loop adds: a sum that lies in memory is read and written once for all of them. */
const STEPS = 2;

/** Whether a tile stores whole vec4s of C, whose n is a multiple of 4 then: a driver is long over so many single stores. */
const storesFours = ({ rows, columns }: RegisterTile): boolean => rows * columns > 64;

/**
 * A is packed [aBatch, k, aVecs] and B [bBatch, k, bVecs] vec4s, along m and n; a batch stride of 0 reads one
 * matrix for all. Threads of a group take neighbouring column tiles of the same rows.
 */
export const matmulRegister = defineKernel({
  name: "matmul_register",
  bindings: (v: RegisterVariant) =>
    ({
      a: "read vec4f",
      b: "read vec4f",
      c: storesFours(v) ? "read_write vec4f" : "read_write f32",
    }) as const,
  params: {
    batch: "u32",
    m: "u32",
    n: "u32",
    k: "u32",
    aVecs: "u32",
    bVecs: "u32",
    aBatch: "u32",
    bBatch: "u32",
  },
  subgroups: ({ broadcast }) => broadcast,
  subgroupSize: ({ broadcast }) => (broadcast ? LANES : undefined),
  variants: [false, true].flatMap((broadcast) =>
    registerTiles(broadcast).map((tile): RegisterVariant => ({ ...tile, broadcast })),
  ),
  main: (v: RegisterVariant) => {
    const rowVecs = v.rows / 4;
    const columnVecs = v.columns / 4;
    const left = common({ name: "a", array: "a", lines: STEPS, length: rowVecs, pitch: "p.aVecs", ...v });
    return `
    ${linearMain(8, ownLane(v.broadcast))}
      let across = (p.n + ${8 * v.columns - 1}u) / ${8 * v.columns}u;
      let down = (p.m + ${v.rows - 1}u) / ${v.rows}u;
      let row = ((group / across) % down) * ${rowVecs}u;
      let column = ((group % across) * 8u + lane) * ${columnVecs}u;
      let batch = group / (across * down);
      if (batch >= p.batch) { return; }
      ${left.places}
      var i = batch * p.aBatch + row;
      var j = batch * p.bBatch + column;
      ${unroll(v.rows, (r) => unroll(columnVecs, (c) => `var s${r}_${c} = vec4f();`, " "))}
      for (var k = 0u; k < p.k; k += ${STEPS}u) {
        let there = p.k - k;
        ${unroll(STEPS, (k) => unroll(columnVecs, (c) => `let b${k}_${c} = ${k === 0 ? `b[j + ${c}u]` : `select(vec4f(), b[j + ${k}u * p.bVecs + ${c}u], ${k}u < there)`};`))}
        ${left.read("i", "there")}
        ${unroll(
          v.rows,
          (r) => `{
          ${unroll(STEPS, (k) => `let f${k} = ${left.float(k, r)};`, " ")}
          ${unroll(columnVecs, (c) => unroll(STEPS, (k) => `s${r}_${c} += f${k} * b${k}_${c};`, " "), " ")}
        }`,
        )}
        i += ${STEPS}u * p.aVecs;
        j += ${STEPS}u * p.bVecs;
      }
      ${storesFours(v) ? registerFours(v) : registerSingles(v)}
    }`;
  },
  dispatch: ({ batch, m, n }, v) =>
    linearGroups(batch * Math.ceil(n / (8 * v.columns)) * Math.ceil(m / v.rows), 1),
  cost: ({ batch, m, n, k }) => ({
    bytes: 4 * batch * (m * k + k * n + m * n),
    flops: 2 * batch * m * n * k,
  }),
});

const registerSingles = (v: RegisterVariant): string => `
      let out = batch * p.m * p.n;
      ${unroll(
        v.rows,
        (r) => `
      if (row * 4u + ${r}u < p.m) {
        let line = out + (row * 4u + ${r}u) * p.n;
        ${unroll(
          v.columns,
          (c) =>
            `if (column * 4u + ${c}u < p.n) { c[line + column * 4u + ${c}u] = s${r}_${c >> 2}.${lanes[c & 3]}; }`,
        )}
      }`,
      )}`;

const registerFours = (v: RegisterVariant): string => `
      let out = batch * p.m * p.bVecs;
      ${unroll(
        v.rows,
        (r) => `
      if (row * 4u + ${r}u < p.m) {
        let line = out + (row * 4u + ${r}u) * p.bVecs;
        ${unroll(v.columns / 4, (c) => `if (column + ${c}u < p.bVecs) { c[line + column + ${c}u] = s${r}_${c}; }`)}
      }`,
      )}`;

export type SharedVariant = Tile & {
  /** A and B lie along k, as they do unless transposed and transposed; else along m and n. */
  aAlongK: boolean;
  bAlongK: boolean;
  /** Strides, and lengths along which they lie, are multiples of four: operands and C are read and written so. */
  vec: boolean;
};

/** A at a[i * aRow + k * aColumn], B likewise, in elements; the one along which a variant says they lie is 1. */
export const matmulShared = defineKernel({
  name: "matmul_shared",
  bindings: ({ vec }: SharedVariant) =>
    vec
      ? ({ a: "read vec4f", b: "read vec4f", c: "read_write vec4f" } as Record<"a" | "b" | "c", Binding>)
      : { a: "read f32", b: "read f32", c: "read_write f32" },
  params: {
    batch: "u32",
    m: "u32",
    n: "u32",
    k: "u32",
    aBatch: "u32",
    aRow: "u32",
    aColumn: "u32",
    bBatch: "u32",
    bRow: "u32",
    bColumn: "u32",
  },
  workgroupBytes: tileBytes,
  variants: sharedVariants(),
  main: (v: SharedVariant) => `
    ${tileArrays(v)}
    ${linearMain(tileThreads(v))}
      ${tilePlace(v)}
      if (batch >= p.batch) { return; }
      ${tileSums(v)}
      ${stridedLoop(
        v,
        {
          name: "a",
          length: v.rows,
          alongK: v.aAlongK,
          base: "batch * p.aBatch",
          step: "p.aRow",
          stepK: "p.aColumn",
          vec: v.vec,
        },
        {
          name: "b",
          length: v.columns,
          alongK: v.bAlongK,
          base: "batch * p.bBatch",
          step: "p.bColumn",
          stepK: "p.bRow",
          vec: v.vec,
        },
        "p.k",
      )}
      ${tileEnds(v, (row, sum, column) =>
        v.vec
          ? `if (${column} < p.n) { c[((batch * p.m + ${row}) * p.n + ${column}) / 4u] = ${sum}; }`
          : unroll(
              4,
              (q) =>
                `if (${column} + ${q}u < p.n) { c[(batch * p.m + ${row}) * p.n + ${column} + ${q}u] = ${sum}.${lanes[q]}; }`,
            ),
      )}
    }`,
  dispatch: ({ batch, m, n }, v) => linearGroups(tileCount(batch, m, n, v), 1),
  cost: ({ batch, m, n, k }) => ({
    bytes: 4 * batch * (m * k + k * n + m * n),
    flops: 2 * batch * m * n * k,
  }),
});

/** Every tile in one layout, and one tile in every layout. */
function sharedVariants(): SharedVariant[] {
  const layouts = [false, true].flatMap((vec) =>
    [true, false].flatMap((aAlongK) => [false, true].map((bAlongK) => ({ aAlongK, bAlongK, vec }))),
  );
  const [smallest, ...others] = testedTiles;
  return [
    ...layouts.map((layout) => ({ ...smallest!, ...layout })),
    ...others.map((tile) => ({ ...tile, aAlongK: true, bAlongK: false, vec: true })),
  ];
}

interface Sizes extends ProductShape {
  readonly k: number;
}

/** Tiles, the plainest first. What is broadcast costs little, so that tall ones pay. */
function registerTiles(broadcast: boolean): RegisterTile[] {
  return [
    { rows: 8, columns: 8 },
    { rows: 4, columns: 8 },
    { rows: 8, columns: 4 },
    { rows: 4, columns: 4 },
    { rows: 16, columns: 4 },
    ...(broadcast ? [{ rows: 32, columns: 4 }] : [{ rows: 16, columns: 16 }]),
  ];
}

/** The large tile gains a tenth to a half where a sum has so many terms; where few, it loses to where its sums begin and end. */
const LONG = 128;
/** Multiply-adds beyond which it is worth the seconds that a driver takes to compile it. */
const LARGE = 2 ** 25;
/** Workgroups that keep a processor's cores busy. */
const CORES = 32;

/** The register tile for a shape on a CPU driver: no taller or wider than the matrix asks for. */
export function registerTile(broadcast: boolean, { batch, m, n, k }: Sizes): RegisterTile {
  if (m <= 4) return { rows: 4, columns: 8 };
  if (broadcast) return tallTile({ m, n });
  if (n <= 32) return { rows: 8, columns: 4 };
  const large = { rows: 16, columns: 16 };
  const groups = batch * Math.ceil(m / large.rows) * Math.ceil(n / (8 * large.columns));
  const filled = (batch * m * n) / (groups * 8 * large.rows * large.columns);
  const pays = k >= LONG && batch * m * n * k > LARGE && groups >= CORES && filled >= 0.8 && n % 4 === 0;
  return pays ? large : { rows: 8, columns: 8 };
}

/** Of those that broadcast. */
function tallTile({ m, n }: { m: number; n: number }): RegisterTile {
  if (m <= 8) return { rows: 8, columns: n <= 32 ? 4 : 8 };
  return { rows: m <= 16 || n % 4 !== 0 ? 16 : 32, columns: 4 };
}

/** A kernel with its tile. All add an element's products in one order. */
export type MatmulWay = ({ kernel: "register" } & RegisterTile) | ({ kernel: "shared" } & Tile);

/** Which kernel and tile suit the hardware. */
export const matmulWay = (hw: Hardware, sizes: Sizes): MatmulWay =>
  hw.kind === "cpu"
    ? { kernel: "register", ...registerTile(broadcasts(hw), sizes) }
    : { kernel: "shared", ...usualTile(hw, sizes) };

/** What is worth measuring: of a CPU driver's, tiles that the matrix fills; of a GPU's, those that it can hold. */
export function matmulWays(hw: Hardware, { m, n }: { m: number; n: number }): MatmulWay[] {
  if (hw.kind === "cpu")
    return registerTiles(broadcasts(hw))
      .filter((v) => v.rows < m + 4 && 8 * v.columns < n + 32 && (!storesFours(v) || n % 4 === 0))
      .map((v) => ({ kernel: "register", ...v }));
  return heldTiles(hw).map((v) => ({ kernel: "shared", ...v }));
}
