import { defineKernel, type Hardware, linearGroups, linearMain, unroll } from "./kernel.ts";

/*
 * C [batch, m, n] = A B. Two kernels, because two kinds of machine want opposite things:
 *
 * | kernel         | tile             | reads                                   | taken on            |
 * | matmulRegister | 8 x 8 a thread   | packed A^T and B, no workgroup memory   | CPU drivers         |
 * | matmulShared   | 64 x 64 a group  | any strides, through workgroup memory   | GPUs                |
 *
 * On a CPU driver lanes are the eight floats of a vector register: a load at one address for all lanes is a
 * scalar load, barriers split the program, and the whole tile lives in registers and L1.
 */

const lanes = ["x", "y", "z", "w"] as const;
export type RegisterVariant = {
  /** Rows (a multiple of 4) and columns (4 or 8) of C that a thread computes. */
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

/** A at a[i * aRow + k * aColumn], B likewise, in elements; workgroups of 16 x 16 threads with 4 x 4 of C each. */
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
  variants: [{ tile: 64, slab: 16 }],
  main: ({ tile, slab }: { tile: number; slab: number }) => {
    const perThread = (tile * slab) / 256;
    return `
    var<workgroup> ta: array<f32, ${slab * (tile + 4)}>;
    var<workgroup> tb: array<f32, ${slab * (tile + 4)}>;
    ${linearMain(256)}
      let at = vec2u(lane % 16u, lane / 16u);
      let across = (p.n + ${tile - 1}u) / ${tile}u;
      let down = (p.m + ${tile - 1}u) / ${tile}u;
      let m0 = ((group / across) % down) * ${tile}u;
      let n0 = (group % across) * ${tile}u;
      let batch = group / (across * down);
      if (batch >= p.batch) { return; }
      let ab = batch * p.aBatch;
      let bb = batch * p.bBatch;
      ${unroll(4, (r) => `var s${r} = vec4f();`)}
      for (var k0 = 0u; k0 < p.k; k0 += ${slab}u) {
        ${unroll(
          perThread,
          (q) => `{
          let e = lane + ${q * 256}u;
          let am = select(e % ${tile}u, e / ${slab}u, p.aColumn == 1u);
          let ak = select(e / ${tile}u, e % ${slab}u, p.aColumn == 1u);
          let bn = select(e % ${tile}u, e / ${slab}u, p.bRow == 1u);
          let bk = select(e / ${tile}u, e % ${slab}u, p.bRow == 1u);
          ta[ak * ${tile + 4}u + am] = select(0.0, a[ab + min(m0 + am, p.m - 1u) * p.aRow + min(k0 + ak, p.k - 1u) * p.aColumn], m0 + am < p.m && k0 + ak < p.k);
          tb[bk * ${tile + 4}u + bn] = select(0.0, b[bb + min(k0 + bk, p.k - 1u) * p.bRow + min(n0 + bn, p.n - 1u) * p.bColumn], n0 + bn < p.n && k0 + bk < p.k);
        }`,
        )}
        workgroupBarrier();
        for (var k = 0u; k < ${slab}u; k++) {
          let x = k * ${tile + 4}u + at.y * 4u;
          let y = k * ${tile + 4}u + at.x * 4u;
          let bv = vec4f(tb[y], tb[y + 1u], tb[y + 2u], tb[y + 3u]);
          ${unroll(4, (r) => `s${r} += ta[x + ${r}u] * bv;`)}
        }
        workgroupBarrier();
      }
      ${unroll(
        4,
        (r) => `
      if (m0 + at.y * 4u + ${r}u < p.m) {
        let line = (batch * p.m + m0 + at.y * 4u + ${r}u) * p.n;
        let column = n0 + at.x * 4u;
        ${unroll(4, (c) => `if (column + ${c}u < p.n) { c[line + column + ${c}u] = s${r}.${lanes[c]}; }`)}
      }`,
      )}
    }`;
  },
  dispatch: ({ batch, m, n }, v) => linearGroups(batch * Math.ceil(n / v.tile) * Math.ceil(m / v.tile), 1),
  cost: ({ batch, m, n, k }) => ({
    bytes: 4 * batch * (m * k + k * n + m * n),
    flops: 2 * batch * m * n * k,
  }),
});

/** The register tile for a shape on a CPU driver: no taller or wider than the matrix asks for. */
export const registerTile = (m: number, n: number): RegisterVariant =>
  m <= 4 ? { rows: 4, columns: 8 } : n <= 32 ? { rows: 8, columns: 4 } : { rows: 8, columns: 8 };

/** Which kernel suits the hardware. */
export const matmulKernel = (hw: Hardware): "register" | "shared" =>
  hw.kind === "cpu" ? "register" : "shared";
