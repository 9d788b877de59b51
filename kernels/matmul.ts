import { broadcasts, common, LANES, ownLane } from "./broadcast.ts";
import {
  type Binding,
  components,
  defineKernel,
  type Hardware,
  linearGroups,
  linearMain,
  unroll,
} from "./kernel.ts";
import {
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
 * C [batch, m, n] = A B, perhaps with a bias added to each whole sum. Two kernels, because two kinds of machine want
 * opposite things:
 *
 * | kernel         | tile             | reads                                   | taken on            |
 * | matmulRegister | 4 to 32 rows     | packed A^T and B, no workgroup memory   | CPU drivers         |
 * | matmulShared   | 32x32 to 128x64  | any layout, through workgroup memory    | GPUs                |
 *
 * On a CPU driver lanes are the eight floats of a vector register: barriers split the program, the whole tile lives in
 * registers and L1, and where subgroups have eight lanes, what lanes share is broadcast.
 */

/** A bias has a number for each row of C, or for each column. */
export type BiasAlong = "rows" | "columns";
type Biased = {
  /** Of variants without one no binding and no work is asked. */
  bias: "none" | BiasAlong;
};

const withBias: readonly BiasAlong[] = ["rows", "columns"];

type RegisterTile = {
  /** Rows and columns of C that a thread computes, multiples of 4. */
  rows: number;
  columns: number;
};

type RegisterVariant = RegisterTile &
  Biased & {
    /** Lanes hand each other what they share of A: see broadcast.ts. */
    broadcast: boolean;
  };

/** Rows of the tall tiles, of four columns, that pay where what they share is broadcast. */
const tallRows = [16, 24, 32] as const;

/** Terms of k that a turn of the loop adds: a sum that lies in memory is read and written once for all of them. */
const STEPS = 2;

/** Whether a tile stores whole vec4s of C, whose n is a multiple of 4 then: a driver is long over so many single stores. */
const storesFours = ({ rows, columns }: RegisterTile): boolean => rows * columns > 64;

const productBindings = (
  { bias }: Biased,
  { operand, sums }: { operand: "f32" | "vec4f"; sums: "f32" | "vec4f" },
): Record<"a" | "b" | "bias" | "c", Binding> =>
  ({
    a: `read ${operand}`,
    b: `read ${operand}`,
    ...(bias !== "none" && { bias: bias === "columns" ? `read ${sums}` : "read f32" }),
    c: `read_write ${sums}`,
  }) as Record<"a" | "b" | "bias" | "c", Binding>;

/**
 * A is packed [aBatch, k, aVecs] and B [bBatch, k, bVecs] vec4s, along m and n; a batch stride of 0 reads one
 * matrix for all, and so does `biasPitch` one bias. Threads of a group take neighbouring column tiles of the same rows.
 */
export const matmulRegister = defineKernel({
  name: "matmul_register",
  bindings: (v: RegisterVariant) =>
    productBindings(v, { operand: "vec4f", sums: storesFours(v) ? "vec4f" : "f32" }),
  params: {
    batch: "u32",
    m: "u32",
    n: "u32",
    k: "u32",
    aVecs: "u32",
    bVecs: "u32",
    aBatch: "u32",
    bBatch: "u32",
    biasPitch: "u32",
  },
  subgroups: ({ broadcast }) => broadcast,
  subgroupSize: ({ broadcast }) => (broadcast ? LANES : undefined),
  variants: registerVariants(),
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
      ${rowsBias(v)}
      ${columnsBias(v, v.columns, (c) => `batch * p.biasPitch + column * 4u + ${c}u`)}
      ${unroll(
        v.rows,
        (r) => `
      if (row * 4u + ${r}u < p.m) {
        let line = out + (row * 4u + ${r}u) * p.n;
        ${rowBias(v, r)}
        ${unroll(
          v.columns,
          (c) =>
            `if (column * 4u + ${c}u < p.n) { c[line + column * 4u + ${c}u] = s${r}_${c >> 2}.${components[c & 3]}${plusBias(v, c)}; }`,
        )}
      }`,
      )}`;

const registerFours = (v: RegisterVariant): string => `
      let out = batch * p.m * p.bVecs;
      ${rowsBias(v)}
      ${columnsBias(v, v.columns / 4, (c) => `batch * p.biasPitch / 4u + column + ${c}u`)}
      ${unroll(
        v.rows,
        (r) => `
      if (row * 4u + ${r}u < p.m) {
        let line = out + (row * 4u + ${r}u) * p.bVecs;
        ${rowBias(v, r)}
        ${unroll(
          v.columns / 4,
          (c) => `if (column + ${c}u < p.bVecs) { c[line + column + ${c}u] = s${r}_${c}${plusBias(v, c)}; }`,
        )}
      }`,
      )}`;

/** WGSL: the bias of a thread's columns. What is read beyond C's end is never stored. */
const columnsBias = ({ bias }: Biased, count: number, place: (c: number) => string): string =>
  bias === "columns" ? unroll(count, (c) => `let bias${c} = bias[${place(c)}];`) : "";
/** WGSL: that of a group's rows, of which each lane reads some for all of them. */
const rowsBias = ({ bias, broadcast, rows }: RegisterVariant): string =>
  bias === "rows" && broadcast
    ? unroll(
        Math.ceil(rows / LANES),
        (q) => `let biasPart${q} = bias[batch * p.biasPitch + row * 4u + ${q * LANES}u + own];`,
      )
    : "";
function rowBias({ bias, broadcast }: RegisterVariant, r: number): string {
  if (bias !== "rows") return "";
  return broadcast
    ? `let biasOfRow = subgroupBroadcast(biasPart${Math.floor(r / LANES)}, ${r % LANES}u);`
    : `let biasOfRow = bias[batch * p.biasPitch + row * 4u + ${r}u];`;
}
const plusBias = ({ bias }: Biased, c: number): string =>
  bias === "none" ? "" : ` + ${bias === "rows" ? "biasOfRow" : `bias${c}`}`;

type SharedVariant = Tile &
  Biased & {
    /** A and B lie along k, as they do unless transposed and transposed; else along m and n. */
    aAlongK: boolean;
    bAlongK: boolean;
    /** Strides, and lengths along which they lie, are multiples of four: operands and C are read and written so. */
    vec: boolean;
  };

/** A at a[i * aRow + k * aColumn], B likewise, in elements; the one along which a variant says they lie is 1. */
export const matmulShared = defineKernel({
  name: "matmul_shared",
  bindings: (v: SharedVariant) => {
    const element = v.vec ? "vec4f" : "f32";
    return productBindings(v, { operand: element, sums: element });
  },
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
    biasPitch: "u32",
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
          ? `if (${column} < p.n) { c[((batch * p.m + ${row}) * p.n + ${column}) / 4u] = ${sum}${biasAt(v, row, column)}; }`
          : unroll(
              4,
              (q) =>
                `if (${column} + ${q}u < p.n) { c[(batch * p.m + ${row}) * p.n + ${column} + ${q}u] = ${sum}.${components[q]}${biasAt(v, row, `${column} + ${q}u`)}; }`,
            ),
      )}
    }`,
  dispatch: ({ batch, m, n }, v) => linearGroups(tileCount(batch, m, n, v), 1),
  cost: ({ batch, m, n, k }) => ({
    bytes: 4 * batch * (m * k + k * n + m * n),
    flops: 2 * batch * m * n * k,
  }),
});

/** WGSL: what is added to the sums of a row, four neighbouring columns at once or one. */
function biasAt({ bias, vec }: SharedVariant, row: string, column: string): string {
  if (bias === "none") return "";
  const place = `batch * p.biasPitch + ${bias === "rows" ? row : column}`;
  return ` + bias[${vec && bias === "columns" ? `(${place}) / 4u` : place}]`;
}

/** Every tile in one layout, and one tile in every layout and with every bias. */
function sharedVariants(): SharedVariant[] {
  const layouts = [false, true].flatMap((vec) =>
    [true, false].flatMap((aAlongK) => [false, true].map((bAlongK) => ({ aAlongK, bAlongK, vec }))),
  );
  const [smallest, ...others] = testedTiles;
  return [
    ...layouts.map((layout) => ({ ...smallest!, ...layout, bias: "none" as const })),
    ...[false, true].flatMap((vec) =>
      withBias.map((bias) => ({ ...smallest!, aAlongK: true, bAlongK: false, vec, bias })),
    ),
    ...others.map((tile) => ({
      ...tile,
      aAlongK: true,
      bAlongK: false,
      vec: true,
      bias: "none" as const,
    })),
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
    ...(broadcast
      ? tallRows.map((rows) => ({ rows, columns: 4 }))
      : [
          { rows: 16, columns: 4 },
          { rows: 16, columns: 16 },
        ]),
  ];
}

/** Every tile, and with every bias one that stores single sums and one that stores fours. */
function registerVariants(): RegisterVariant[] {
  return [false, true].flatMap((broadcast) => {
    const tiles = registerTiles(broadcast);
    const [single, four] = [tiles[0]!, tiles.find(storesFours)!];
    return [
      ...tiles.map((tile) => ({ ...tile, broadcast, bias: "none" as const })),
      ...withBias.flatMap((bias) => [single, four].map((tile) => ({ ...tile, broadcast, bias }))),
    ];
  });
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

/** What a turn of the loop takes to read a tile's columns, in rows. */
const OF_COLUMNS = 13;

/** Of those that broadcast: the tile whose rows, those beyond C's end among them, take the least time. */
function tallTile({ m, n }: { m: number; n: number }): RegisterTile {
  if (m <= 8) return { rows: 8, columns: n <= 32 ? 4 : 8 };
  if (n % 4 !== 0) return { rows: 16, columns: 4 };
  const time = (rows: number) => Math.ceil(m / rows) * (rows + OF_COLUMNS);
  return { rows: tallRows.reduce((a, b) => (time(b) <= time(a) ? b : a)), columns: 4 };
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
