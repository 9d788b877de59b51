import { defineKernel, type Hardware, linearGroups, linearMain, unroll } from "./kernel.ts";

/*
 * C [batch, m, n] = A B. Two kernels, because two kinds of machine want opposite things:
 *
 * | kernel         | tile             | reads                                   | taken on            |
 * | matmulRegister | 8 x 8 a thread   | packed A^T and B, no workgroup memory   | CPU drivers         |
 * | matmulShared   | 32 to 128 square | any strides, through workgroup memory   | GPUs                |
 *
 * On a CPU driver lanes are the eight floats of a vector register: a load at one address for all lanes is a
 * scalar load, barriers split the program, and the whole tile lives in registers and L1.
 */

const lanes = ["x", "y", "z", "w"] as const;
export type RegisterVariant = {
  /** Rows and columns of C that a thread computes, multiples of 4. */
  rows: number;
  columns: number;
};

/**
 * A is packed [aBatch, k, aVecs] and B [bBatch, k, bVecs] vec4s, along m and n; a batch stride of 0 reads one
 * matrix for all. Threads of a group take neighbouring column tiles of the same rows.
 */
export const matmulRegister = defineKernel({
  name: "matmul_register",
  bindings: { a: "read vec4f", b: "read vec4f", c: "read_write f32" },
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
  variants: [
    { rows: 8, columns: 8 },
    { rows: 4, columns: 8 },
    { rows: 8, columns: 4 },
    { rows: 4, columns: 4 },
    { rows: 16, columns: 4 },
  ] as RegisterVariant[],
  main: (v: RegisterVariant) => {
    const rowVecs = v.rows / 4;
    const columnVecs = v.columns / 4;
    return `
    ${linearMain(8)}
      let across = (p.n + ${8 * v.columns - 1}u) / ${8 * v.columns}u;
      let down = (p.m + ${v.rows - 1}u) / ${v.rows}u;
      let row = ((group / across) % down) * ${rowVecs}u;
      let column = ((group % across) * 8u + lane) * ${columnVecs}u;
      let batch = group / (across * down);
      if (batch >= p.batch || column * 4u >= p.n) { return; }
      var i = batch * p.aBatch + row;
      var j = batch * p.bBatch + column;
      ${unroll(v.rows, (r) => unroll(columnVecs, (c) => `var s${r}_${c} = vec4f();`, " "))}
      for (var k = 0u; k < p.k; k++) {
        ${unroll(columnVecs, (c) => `let b${c} = b[j + ${c}u];`)}
        ${unroll(rowVecs, (q) => `let a${q} = a[i + ${q}u];`)}
        ${unroll(v.rows, (r) =>
          unroll(columnVecs, (c) => `s${r}_${c} += a${r >> 2}.${lanes[r & 3]} * b${c};`, " "),
        )}
        i += p.aVecs;
        j += p.bVecs;
      }
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
      )}
    }`;
  },
  dispatch: ({ batch, m, n }, v) =>
    linearGroups(batch * Math.ceil(n / (8 * v.columns)) * Math.ceil(m / v.rows), 1),
  cost: ({ batch, m, n, k }) => ({
    bytes: 4 * batch * (m * k + k * n + m * n),
    flops: 2 * batch * m * n * k,
  }),
});

export type SharedVariant = {
  /** Rows and columns of C that a workgroup computes, and what of k it holds at once. */
  tile: number;
  slab: number;
  /** Rows and columns of C that a thread computes: (tile / each)^2 threads. */
  each: 4 | 8;
};

/** Threads of a workgroup. */
export const sharedThreads = ({ tile, each }: SharedVariant): number => (tile / each) ** 2;
/** Bytes of workgroup memory: a slab of both operands, in vec4s along m and n, a vec4 more in a line against bank conflicts. */
export const sharedBytes = ({ tile, slab }: SharedVariant): number => 2 * 4 * slab * (tile + 4);

/**
 * A at a[i * aRow + k * aColumn], B likewise, in elements. A thread's rows, and its columns, come in fours that stand
 * tile * 4 / each apart, so that neighbouring threads read neighbouring vec4s.
 */
export const matmulShared = defineKernel({
  name: "matmul_shared",
  bindings: { a: "read f32", b: "read f32", c: "read_write f32" },
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
  variants: [
    { tile: 64, slab: 16, each: 4 },
    { tile: 32, slab: 16, each: 4 },
    { tile: 64, slab: 16, each: 8 },
    { tile: 64, slab: 8, each: 4 },
    { tile: 128, slab: 8, each: 8 },
  ] as SharedVariant[],
  main: (v: SharedVariant) => {
    const { tile, slab } = v;
    const threads = sharedThreads(v);
    return `
    var<workgroup> ta: array<f32, ${slab * (tile + 4)}>;
    var<workgroup> tb: array<f32, ${slab * (tile + 4)}>;
    ${linearMain(threads)}
      ${sharedPlace(v)}
      if (batch >= p.batch) { return; }
      let ab = batch * p.aBatch;
      let bb = batch * p.bBatch;
      ${sharedSums(v)}
      for (var k0 = 0u; k0 < p.k; k0 += ${slab}u) {
        for (var e = lane; e < ${tile * slab}u; e += ${threads}u) {
          let am = select(e % ${tile}u, e / ${slab}u, p.aColumn == 1u);
          let ak = select(e / ${tile}u, e % ${slab}u, p.aColumn == 1u);
          let bn = select(e % ${tile}u, e / ${slab}u, p.bRow == 1u);
          let bk = select(e / ${tile}u, e % ${slab}u, p.bRow == 1u);
          ta[ak * ${tile + 4}u + am] = select(0.0, a[ab + min(m0 + am, p.m - 1u) * p.aRow + min(k0 + ak, p.k - 1u) * p.aColumn], m0 + am < p.m && k0 + ak < p.k);
          tb[bk * ${tile + 4}u + bn] = select(0.0, b[bb + min(k0 + bk, p.k - 1u) * p.bRow + min(n0 + bn, p.n - 1u) * p.bColumn], n0 + bn < p.n && k0 + bk < p.k);
        }
        workgroupBarrier();
        ${sharedProducts(v)}
        workgroupBarrier();
      }
      ${sharedEnds(v, (r, q, c) => `c[(batch * p.m + ${r}) * p.n + ${c}] = ${q};`)}
    }`;
  },
  dispatch: ({ batch, m, n }, v) => linearGroups(batch * Math.ceil(n / v.tile) * Math.ceil(m / v.tile), 1),
  cost: ({ batch, m, n, k }) => ({
    bytes: 4 * batch * (m * k + k * n + m * n),
    flops: 2 * batch * m * n * k,
  }),
});

/** Rows a thread computes as fours, and where the r-th of them stands in the tile, as WGSL. */
const fours = ({ each }: SharedVariant): number => each / 4;
const spread = ({ tile, each }: SharedVariant): number => (tile * 4) / each;

/** WGSL: where in C a workgroup's tile `m0`, `n0`, `batch` and its thread `at` stand, over p.m and p.n. */
export const sharedPlace = ({ tile, each }: SharedVariant): string => `
      let at = vec2u(lane % ${tile / each}u, lane / ${tile / each}u);
      let across = (p.n + ${tile - 1}u) / ${tile}u;
      let down = (p.m + ${tile - 1}u) / ${tile}u;
      let m0 = ((group / across) % down) * ${tile}u;
      let n0 = (group % across) * ${tile}u;
      let batch = group / (across * down);`;

/** WGSL: the thread's sums, s{row}_{four of columns}. */
export const sharedSums = (v: SharedVariant): string =>
  unroll(v.each, (r) => unroll(fours(v), (q) => `var s${r}_${q} = vec4f();`, " "));

/** WGSL: adds a slab's products of the workgroup arrays ta and tb, [slab, tile + 4] each. */
export const sharedProducts = (v: SharedVariant): string => `
        for (var k = 0u; k < ${v.slab}u; k++) {
          let x = k * ${v.tile + 4}u + at.y * 4u;
          let y = k * ${v.tile + 4}u + at.x * 4u;
          ${unroll(fours(v), (q) => {
            const i = `y + ${q * spread(v)}u`;
            return `let b${q} = vec4f(tb[${i}], tb[${i} + 1u], tb[${i} + 2u], tb[${i} + 3u]);`;
          })}
          ${unroll(v.each, (r) => {
            const a = `ta[x + ${(r >> 2) * spread(v) + (r & 3)}u]`;
            return `{ let a = ${a}; ${unroll(fours(v), (q) => `s${r}_${q} += a * b${q};`, " ")} }`;
          })}
        }`;

/** WGSL: what becomes of each sum within the matrix; `end` gets its row, its value and its column as expressions. */
export const sharedEnds = (
  v: SharedVariant,
  end: (row: string, value: string, column: string) => string,
): string =>
  unroll(
    v.each,
    (r) => `{
        let row = m0 + at.y * 4u + ${(r >> 2) * spread(v) + (r & 3)}u;
        if (row < p.m) {
          ${unroll(fours(v), (q) =>
            unroll(4, (c) => {
              const column = `n0 + at.x * 4u + ${q * spread(v) + c}u`;
              return `{ let column = ${column}; if (column < p.n) { ${end("row", `s${r}_${q}.${lanes[c]}`, "column")} } }`;
            }),
          )}
        }
      }`,
  );

/** The register tile for a shape on a CPU driver: no taller or wider than the matrix asks for. */
export const registerTile = (m: number, n: number): RegisterVariant =>
  m <= 4 ? { rows: 4, columns: 8 } : n <= 32 ? { rows: 8, columns: 4 } : { rows: 8, columns: 8 };

/** A kernel with its variant. All add an element's products in one order. */
export type MatmulWay = ({ kernel: "register" } & RegisterVariant) | ({ kernel: "shared" } & SharedVariant);

/** Which kernel and tile suit the hardware. */
export const matmulWay = (hw: Hardware, { m, n }: { m: number; n: number }): MatmulWay =>
  hw.kind === "cpu"
    ? { kernel: "register", ...registerTile(m, n) }
    : { kernel: "shared", tile: 64, slab: 16, each: 4 };

/** What is worth measuring: of a CPU driver's, tiles that the matrix fills; of a GPU's, those that it can hold. */
export function matmulWays(hw: Hardware, { m, n }: { m: number; n: number }): MatmulWay[] {
  if (hw.kind === "cpu")
    return matmulRegister.variants
      .filter(({ rows, columns }) => rows < m + 4 && 8 * columns < n + 32)
      .map((v) => ({ kernel: "register", ...v }));
  return sharedWays(hw).map((v) => ({ kernel: "shared", ...v }));
}

/** Shared tiles that the hardware can hold. */
export const sharedWays = (hw: Hardware): SharedVariant[] =>
  matmulShared.variants.filter(
    (v) => sharedThreads(v) <= hw.maxWorkgroupSize && sharedBytes(v) <= hw.maxWorkgroupStorage,
  );
