import {
  biasAt,
  type ConvEnd,
  endBindings,
  endOf,
  endParams,
  productParams,
  tapParams,
} from "./conv-product.ts";
import {
  defineKernel,
  type Hardware,
  linearGroups,
  linearMain,
  type MatrixUnit,
  range,
  unroll,
} from "./kernel.ts";

/*
 * Convolution on matrix units, which subgroups hand small matrices of f16 to and get sums in f32 of (WGSL's subgroup
 * matrices, an experimental feature of Dawn's). As a product of weights [co, taps ci] and inputs [taps ci, n oh ow]:
 *
 *   matrixPixels    x -> padded images, pixel by pixel, the channels of each in a row of f16
 *   matrixWeight    w -> for each tap, the channels in of each channel out in a row of f16
 *   convMatrix      a workgroup's tile of the product: slabs of both through workgroup memory, bias and residual at the end
 *
 * Rows are channels in, rounded up to whole slabs of 32, so that nothing is left over within a product. Slabs of 64 halve
 * the barriers, where rows are whole ones and workgroup memory holds them: on an H200, with 64 images, products take
 *
 *   channels, image   units, subgroups   slabs of 32   of 64
 *   128, 32x32        2x4, 4x2           0.817 ms      0.465 ms; of 32 by the best other tile 0.477 ms
 *   256, 16x16        2x4, 4x2           0.356 ms      0.304 ms
 *   256, 8x8          2x4, 2x2           0.1023 ms     0.0866 ms
 *   256, 8x8          2x2, 2x2           0.1075 ms     0.0856 ms
 *
 * Units 4x4 lose by slabs of 64; two slabs of 32 in two buffers with one barrier lose everywhere.
 */

/** Channels that rows are rounded up to: the smaller slab. */
const LEAST_SLAB = 32;
/** Channels in a row, by eights as they are read. */
export const rowVecs = (ci: number): number => (LEAST_SLAB / 8) * Math.ceil(ci / LEAST_SLAB);

/** Whether rows of so many channels are whole slabs. */
export const slabsFill = ({ slab }: Pick<MatrixTile, "slab">, ci: number): boolean =>
  (8 * rowVecs(ci)) % slab === 0;

/** Lines and pitch of an image's pixels that a convolution reads. */
export function matrixSize({ oh, ow, kernel: [kh, kw], attrs: { stride, dilation } }: MatrixGeometry): Pair {
  return [
    (oh - 1) * stride[0] + (kh - 1) * dilation[0] + 1,
    (ow - 1) * stride[1] + (kw - 1) * dilation[1] + 1,
  ];
}

type Pair = readonly [y: number, x: number];
interface MatrixGeometry {
  readonly oh: number;
  readonly ow: number;
  readonly kernel: Pair;
  readonly attrs: { readonly stride: Pair; readonly dilation: Pair };
}

/** Whether an image's pixels in rows of channels, and all weights, can each be bound. */
export const matrixHeld = (
  { maxBinding }: Pick<Hardware, "maxBinding">,
  { ci, co, taps, pixels }: { ci: number; co: number; taps: number; pixels: number },
): boolean => 16 * rowVecs(ci) * Math.max(pixels, taps * co) <= maxBinding;

/** WGSL: eight values as one vec4u of f16. */
const packed = (value: (i: number) => string): string =>
  `vec4u(${range(4).map((i) => `pack2x16float(vec2f(${value(2 * i)}, ${value(2 * i + 1)}))`)})`;

/** x [n, ci, height, width] -> [n, lines, pitch, rowVecs(ci)] vec4u; x's first element comes to (top, left). */
export const matrixPixels = defineKernel({
  name: "matrix_pixels",
  bindings: { x: "read f32", y: "read_write vec4u" },
  params: {
    n: "u32",
    ci: "u32",
    height: "u32",
    width: "u32",
    lines: "u32",
    pitch: "u32",
    vecs: "u32",
    top: "i32",
    left: "i32",
  },
  variants: [{}],
  // Sixteen neighbouring pixels by two eights of channels: whole sectors of memory are read and written.
  main: () => `
    ${linearMain(64)}
      let pixels = p.n * p.lines * p.pitch;
      let pixel = (thread / 32u) / ((p.vecs + 1u) / 2u) * 16u + (thread % 32u) / 2u;
      let vec = (thread / 32u) % ((p.vecs + 1u) / 2u) * 2u + thread % 2u;
      if (pixel >= pixels || vec >= p.vecs) { return; }
      let row = i32(pixel / p.pitch % p.lines) - p.top;
      let column = i32(pixel % p.pitch) - p.left;
      let inside = row >= 0 && row < i32(p.height) && column >= 0 && column < i32(p.width);
      let plane = p.height * p.width;
      let first = pixel / (p.pitch * p.lines) * p.ci * plane + u32(row) * p.width + u32(column);
      ${unroll(8, (i) => `let c${i} = vec * 8u + ${i}u; let has${i} = inside && c${i} < p.ci;`)}
      ${unroll(8, (i) => `let v${i} = select(0.0, x[select(0u, first + c${i} * plane, has${i})], has${i});`)}
      y[pixel * p.vecs + vec] = ${packed((i) => `v${i}`)};
    }`,
  dispatch: ({ n, lines, pitch, vecs }) =>
    linearGroups(Math.ceil((n * lines * pitch) / 16) * Math.ceil(vecs / 2) * 32, 64),
  cost: ({ n, ci, height, width, lines, pitch, vecs }) => ({
    bytes: n * (4 * ci * height * width + 16 * vecs * lines * pitch),
    flops: 0,
  }),
});

/** w [co, ci, taps] -> [taps, co, rowVecs(ci)] vec4u. */
export const matrixWeight = defineKernel({
  name: "matrix_weight",
  bindings: { w: "read f32", y: "read_write vec4u" },
  params: { co: "u32", ci: "u32", taps: "u32", vecs: "u32" },
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      let tap = thread % p.taps;
      let vec = thread / p.taps % p.vecs;
      let co = thread / (p.taps * p.vecs);
      if (co >= p.co) { return; }
      let first = co * p.ci * p.taps + tap;
      ${unroll(8, (i) => `let c${i} = vec * 8u + ${i}u;`)}
      ${unroll(8, (i) => `let v${i} = select(0.0, w[select(0u, first + c${i} * p.taps, c${i} < p.ci)], c${i} < p.ci);`)}
      y[(tap * p.co + co) * p.vecs + vec] = ${packed((i) => `v${i}`)};
    }`,
  dispatch: ({ co, taps, vecs }) => linearGroups(co * taps * vecs, 64),
  cost: ({ co, ci, taps, vecs }) => ({ bytes: co * taps * (4 * ci + 16 * vecs), flops: 0 }),
});

/** Rows and columns of units that a subgroup holds, subgroups of a workgroup, and channels multiplied between two barriers. */
export type MatrixTile = {
  readonly unitRows: number;
  readonly unitColumns: number;
  readonly groupRows: number;
  readonly groupColumns: number;
  readonly slab: 32 | 64;
};

type ConvMatrixVariant = MatrixUnit & MatrixTile & ConvEnd;

/** Of equal extent the usual first. */
export const matrixTiles: readonly MatrixTile[] = [
  { unitRows: 2, unitColumns: 4, groupRows: 4, groupColumns: 2, slab: 64 },
  { unitRows: 2, unitColumns: 4, groupRows: 2, groupColumns: 2, slab: 64 },
  { unitRows: 2, unitColumns: 2, groupRows: 2, groupColumns: 2, slab: 64 },
  { unitRows: 2, unitColumns: 4, groupRows: 4, groupColumns: 2, slab: 32 },
  { unitRows: 2, unitColumns: 4, groupRows: 2, groupColumns: 2, slab: 32 },
  { unitRows: 2, unitColumns: 2, groupRows: 2, groupColumns: 2, slab: 32 },
  { unitRows: 4, unitColumns: 2, groupRows: 2, groupColumns: 4, slab: 32 },
  { unitRows: 4, unitColumns: 4, groupRows: 2, groupColumns: 2, slab: 32 },
];

/** Rows and columns of the product that a workgroup computes, its subgroups, and its threads. */
const matrixExtent = (v: MatrixUnit & MatrixTile) => {
  const subgroups = v.groupRows * v.groupColumns;
  return {
    rows: v.m * v.unitRows * v.groupRows,
    columns: v.n * v.unitColumns * v.groupColumns,
    subgroups,
    threads: subgroups * v.lanes,
  };
};

/** A row of a slab in workgroup memory, in eights of f16: one more against bank conflicts. */
const pitchOf = ({ slab }: MatrixTile): number => slab / 8 + 1;
/** A row of a unit's sums in workgroup memory. */
const sumPitch = ({ n }: MatrixUnit): number => n + 4;

/** Bytes of workgroup memory. */
export const matrixBytes = (v: MatrixUnit & MatrixTile): number => {
  const { rows, columns, subgroups } = matrixExtent(v);
  return 16 * pitchOf(v) * (rows + columns) + 4 * subgroups * v.m * sumPitch(v);
};

/** Whether a workgroup's tile can be held: by memory, threads, and slabs that its threads can share evenly. */
export const matrixFits = (
  hw: Pick<Hardware, "maxWorkgroupSize" | "maxWorkgroupStorage">,
  v: MatrixUnit & MatrixTile,
): boolean => {
  const { rows, columns, threads } = matrixExtent(v);
  const evenly = [rows, columns].every((lines) => (lines * (v.slab / 8)) % threads === 0);
  const whole = v.slab % v.k === 0 && v.k % 8 === 0 && v.n % 4 === 0 && (v.m * v.n) % (4 * v.lanes) === 0;
  return evenly && whole && threads <= hw.maxWorkgroupSize && matrixBytes(v) <= hw.maxWorkgroupStorage;
};

/** The unit that NVIDIA's and AMD's drivers offer, for the tests. */
const usual: MatrixUnit = { m: 16, n: 16, k: 16, lanes: 32 };

export type MatrixWay = { readonly kernel: "matrix" } & MatrixUnit & MatrixTile;
/** Cores of a large GPU. */
const CORES = 128;

/**
 * Ways to a product [m, n] over the taps of ci channels on the hardware's units: first the largest tile that leaves every
 * core a workgroup, or that leaves the most, by the larger slab where there is one. None on CPU drivers: Mesa 26.2's has units
 * and loops behind them, which take six times as long as the other ways and seconds to compile.
 */
export function matrixWays(hw: Hardware, { ci, m, n }: { ci: number; m: number; n: number }): MatrixWay[] {
  const { matrix, kind } = hw;
  if (!matrix || kind === "cpu") return [];
  const count = (way: MatrixWay) => {
    const { rows, columns } = matrixExtent(way);
    return Math.ceil(m / rows) * Math.ceil(n / columns);
  };
  return matrixTiles
    .map((tile): MatrixWay => ({ kernel: "matrix", ...matrix, ...tile }))
    .filter((way) => slabsFill(way, ci) && matrixFits(hw, way))
    .toSorted((a, b) => Math.min(count(b), CORES) - Math.min(count(a), CORES) || count(a) - count(b));
}

/** y [n, co, oh, ow] from what matrixPixels and matrixWeight wrote. `vec`: y by vec4s, images of a multiple of four. */
export const convMatrix = defineKernel({
  name: "conv_matrix",
  bindings: (v: ConvMatrixVariant) => ({ x: "read vec4u", w: "read vec4u", ...endBindings(v) }) as const,
  params: {
    ...productParams,
    ...tapParams,
    ...endParams,
    /** Eights of channels in. */
    vecs: "u32",
    lines: "u32",
    pitch: "u32",
  },
  variants: matrixTiles.flatMap((tile) =>
    [false, true].flatMap((residual) =>
      [false, true].map((vec): ConvMatrixVariant => ({ ...usual, ...tile, residual, vec })),
    ),
  ),
  matrix: ({ m, n, k, lanes }) => ({ m, n, k, lanes }),
  workgroupBytes: matrixBytes,
  main: (v: ConvMatrixVariant) => {
    const { m, n, k, lanes, unitRows, unitColumns, groupColumns, slab } = v;
    const { rows, columns, subgroups, threads } = matrixExtent(v);
    const [parts, pitch] = [slab / 8, pitchOf(v)];
    const [aLoads, bLoads] = [(rows * parts) / threads, (columns * parts) / threads];
    const left = `subgroup_matrix_left<f16, ${k}, ${m}>`;
    const right = `subgroup_matrix_right<f16, ${n}, ${k}>`;
    const sums = `subgroup_matrix_result<f32, ${n}, ${m}>`;
    const units = range(unitRows).flatMap((i) => range(unitColumns).map((j) => [i, j] as const));
    const place = (i: number) => `((lane + ${i * threads}u) / ${parts}u)`;
    const part = (i: number) => `((lane + ${i * threads}u) % ${parts}u)`;
    const spot = (i: number) => `${place(i)} * ${pitch}u + ${part(i)}`;
    return `
    var<workgroup> ta: array<vec4u, ${rows * pitch}>;
    var<workgroup> tb: array<vec4u, ${columns * pitch}>;
    var<workgroup> ts: array<f32, ${subgroups * m * sumPitch(v)}>;
    ${linearMain(threads, "@builtin(subgroup_id) sub: u32, @builtin(subgroup_invocation_id) own: u32")}
      let down = (p.m + ${rows - 1}u) / ${rows}u;
      let m0 = (group % down) * ${rows}u;
      let n0 = (group / down) * ${columns}u;
      if (n0 >= p.n) { return; }
      let plane = p.oh * p.ow;
      ${unroll(aLoads, (i) => `let a${i} = min(m0 + ${place(i)}, p.m - 1u) * p.vecs + ${part(i)};`)}
      ${unroll(
        bLoads,
        (i) => `
      let spot${i} = min(n0 + ${place(i)}, p.n - 1u);
      let line${i} = spot${i} / plane * p.lines + spot${i} % plane / p.ow * p.strideY;
      let b${i} = (line${i} * p.pitch + spot${i} % p.ow * p.strideX) * p.vecs + ${part(i)};`,
      )}
      ${units.map(([i, j]) => `var s${i}_${j}: ${sums};`).join("\n")}
      let row = sub / ${groupColumns}u * ${m * unitRows}u;
      let column = sub % ${groupColumns}u * ${n * unitColumns}u;
      let taps = p.kh * p.kw;
      ${unroll(aLoads, (i) => `var u${i} = w[a${i}];`)}
      ${unroll(bLoads, (i) => `var v${i} = x[b${i}];`)}
      var tap = 0u;
      var vec = 0u;
      for (var slabs = taps * p.vecs / ${parts}u; slabs > 0u; slabs--) {
        ${unroll(aLoads, (i) => `ta[${spot(i)}] = u${i};`)}
        ${unroll(bLoads, (i) => `tb[${spot(i)}] = v${i};`)}
        workgroupBarrier();
        // The next slab is on its way while this one is multiplied.
        vec += ${parts}u;
        if (vec == p.vecs) { vec = 0u; tap++; }
        if (slabs > 1u) {
          let weights = tap * p.m * p.vecs + vec;
          let shift = (tap / p.kw * p.dilationY * p.pitch + tap % p.kw * p.dilationX) * p.vecs + vec;
          ${unroll(aLoads, (i) => `u${i} = w[a${i} + weights];`)}
          ${unroll(bLoads, (i) => `v${i} = x[b${i} + shift];`)}
        }
        ${unroll(
          slab / k,
          (step) => `{
          ${unroll(unitRows, (i) => `let l${i} = subgroupMatrixLoad<${left}, row_major>(&ta, (row + ${i * m}u) * ${pitch}u + ${(step * k) / 8}u, ${pitch}u);`)}
          ${unroll(unitColumns, (j) => `let r${j} = subgroupMatrixLoad<${right}, col_major>(&tb, (column + ${j * n}u) * ${pitch}u + ${(step * k) / 8}u, ${pitch}u);`)}
          ${units.map(([i, j]) => `s${i}_${j} = subgroupMatrixMultiplyAccumulate(l${i}, r${j}, s${i}_${j});`).join("\n")}
        }`,
        )}
        workgroupBarrier();
      }
      let mine = sub * ${m * sumPitch(v)}u;
      ${units
        .map(
          ([i, j]) => `
      subgroupMatrixStore<row_major>(&ts, mine, s${i}_${j}, ${sumPitch(v)}u);
      workgroupBarrier();
      for (var quad = own; quad < ${(m * n) / 4}u; quad += ${lanes}u) {
        let r = quad / ${n / 4}u;
        let c = quad % ${n / 4}u * 4u;
        let at = mine + r * ${sumPitch(v)}u + c;
        let co = m0 + row + ${i * m}u + r;
        let first = n0 + column + ${j * n}u + c;
        if (co < p.m) { ${ending(v)} }
      }
      workgroupBarrier();`,
        )
        .join("\n")}
    }`;
  },
  dispatch: ({ m, n }, v) => {
    const { rows, columns } = matrixExtent(v);
    return linearGroups(Math.ceil(m / rows) * Math.ceil(n / columns), 1);
  },
  cost: ({ m, n, ci, oh, ow, lines, pitch, kh, kw }) => ({
    bytes: 2 * ((n / (oh * ow)) * lines * pitch * ci + m * ci * kh * kw + m * n),
    flops: 2 * m * n * ci * kh * kw,
  }),
});

/** WGSL: four neighbouring sums from ts[at] on, of channel `co` and output `first`, end in y. */
function ending(v: ConvMatrixVariant): string {
  const bias = `let b = ${biasAt("image", "co")};`;
  if (v.vec)
    return `
          if (first < p.n) {
            let image = first / plane;
            let out = ((image * p.m + co) * plane + first % plane) / 4u;
            ${bias}
            y[out] = ${endOf(v, "vec4f(ts[at], ts[at + 1u], ts[at + 2u], ts[at + 3u])")};
          }`;
  return `
          for (var spot = first; spot < min(first + 4u, p.n); spot++) {
            let image = spot / plane;
            let out = (image * p.m + co) * plane + spot % plane;
            ${bias}
            y[out] = ${endOf(v, "ts[at + spot - first]")};
          }`;
}
