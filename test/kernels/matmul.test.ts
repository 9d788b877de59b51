import { expect, test } from "vitest";
import { type Array64, map } from "../../engine/oracle/array.ts";
import { addBias, matmul } from "../../engine/oracle/matmul.ts";
import { type BiasAlong, matmulRegister, matmulShared, registerTile } from "../../kernels/matmul.ts";
import { pack } from "../../kernels/pack.ts";
import { tileBytes } from "../../kernels/tile.ts";
import { sharedTiles, testedTiles } from "../../kernels/tile-choice.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { eachVariant, launched, variantsFor } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const sizes = [
  [1, 1, 1, 1],
  [2, 5, 3, 7],
  [1, 8, 64, 16],
  [3, 9, 65, 17],
  [1, 65, 67, 33],
  [2, 130, 5, 3],
  [1, 3, 130, 64],
] as const; // batch, m, n, k

/** Of whole vec4s across. */
const wide = [
  [1, 1, 4, 1],
  [2, 5, 12, 7],
  [1, 17, 128, 16],
  [3, 33, 132, 9],
  [1, 16, 260, 33],
] as const;

/** [batch, k, columns] with columns filled up to vec4s, as pack.ts lays them out. */
function packed(
  x: Array64,
  at: (b: number, k: number, i: number) => number,
  batch: number,
  k: number,
  columns: number,
): Array64 {
  const width = Math.ceil(columns / 4) * 4;
  const data = new Float64Array(batch * k * width);
  for (let b = 0; b < batch; b++)
    for (let row = 0; row < k; row++)
      for (let i = 0; i < columns; i++) data[(b * k + row) * width + i] = x.data[at(b, row, i)]!;
  return { shape: [batch, k, width], data };
}

const near = (
  c: ArrayLike<number>,
  a: Array64,
  b: Array64,
  k: number,
  what: string,
  { to, size }: Pick<Added, "to" | "size"> = { to: (c) => c, size: (c) => c },
) => {
  const magnitude = size(matmul(map(a, Math.abs), map(b, Math.abs)));
  expectNear(c, to(matmul(a, b)), { terms: k, magnitude }, what);
};

interface Added {
  /** The kernel's input and parameter. */
  readonly given: { bias?: Array64 };
  readonly biasPitch: number;
  /** Of the true product, and of the magnitudes of its terms. */
  readonly to: (c: Array64) => Array64;
  readonly size: (c: Array64) => Array64;
}

/** What a variant adds: nothing, or one bias for all products and then one for each. */
function added(along: "none" | BiasAlong, [batch, m, n]: readonly [number, number, number]): Added[] {
  const same = (c: Array64) => c;
  if (along === "none") return [{ given: {}, biasPitch: 0, to: same, size: same }];
  const length = along === "rows" ? m : n;
  return [[length], [batch, length]].map((shape) => {
    const bias = normal(shape, 3);
    return {
      given: { bias },
      biasPitch: shape.length > 1 ? length : 0,
      to: (c) => addBias(c, bias, along),
      size: (c) => addBias(c, map(bias, Math.abs), along),
    };
  });
}

test.each(variantsFor(matmulRegister, engine.hardware))(
  "register tiles of $rows x $columns, broadcast $broadcast, bias $bias",
  async (variant) => {
    const stored = matmulRegister.bindings(variant).c;
    for (const [batch, m, n, k] of stored === "read_write vec4f" ? wide : sizes) {
      const [a, b] = [normal([batch, m, k], 1), normal([batch, k, n], 2)];
      const left = packed(a, (i, row, column) => (i * m + column) * k + row, batch, k, m);
      const right = packed(b, (i, row, column) => (i * k + row) * n + column, batch, k, n);
      const [aVecs, bVecs] = [Math.ceil(m / 4), Math.ceil(n / 4)];
      const params = { batch, m, n, k, aVecs, bVecs, aBatch: k * aVecs, bBatch: k * bVecs };
      for (const { given, biasPitch, ...bias } of added(variant.bias, [batch, m, n])) {
        const { c } = await launched(
          matmulRegister,
          variant,
          { a: left, b: right, ...given },
          { c: [batch, m, n] },
          { ...params, biasPitch },
        );
        near(c!, a, b, k, `${batch} x ${m} x ${n} x ${k}, a bias every ${biasPitch}`, bias);
      }
    }
  },
);

test("all register tiles add in one order, to the last bit", async () => {
  const [m, n, k] = [33, 132, 200];
  const [left, right] = [normal([1, k, 36], 1), normal([1, k, n], 2)];
  const results = [];
  for (const tile of variantsFor(matmulRegister, engine.hardware).filter(({ bias }) => bias === "none")) {
    const params = { batch: 1, m, n, k, aVecs: 9, bVecs: n / 4, aBatch: 0, bBatch: 0, biasPitch: 0 };
    const { c } = await launched(matmulRegister, tile, { a: left, b: right }, { c: [m, n] }, params);
    results.push([...c!]);
  }
  for (const other of results) expect(other).toEqual(results[0]);
});

test.each([
  { batch: 8, m: 128, n: 256, k: 256, rows: 16 }, // attention of 256 positions
  { batch: 1, m: 512, n: 512, k: 512, rows: 16 },
  { batch: 16, m: 64, n: 2048, k: 64, rows: 8 }, // short sums
  { batch: 1, m: 128, n: 128, k: 512, rows: 8 }, // little work
  { batch: 8, m: 128, n: 258, k: 256, rows: 8 }, // no whole vec4s
  { batch: 64, m: 128, n: 64, k: 256, rows: 8 }, // half of a tile's width
])("register tile for $batch of $m x $k by $k x $n: $rows rows", ({ rows, ...sizes }) => {
  expect(registerTile(false, sizes)).toEqual({ rows, columns: rows });
});

test.each([
  { batch: 16, m: 64, n: 2048, k: 64, rows: 32, columns: 4 },
  { batch: 1, m: 64, n: 30, k: 64, rows: 16, columns: 4 }, // no whole vec4s
  { batch: 1, m: 10, n: 512, k: 64, rows: 16, columns: 4 },
  { batch: 1, m: 8, n: 512, k: 64, rows: 8, columns: 8 },
  { batch: 1, m: 3, n: 512, k: 64, rows: 4, columns: 8 },
])("broadcasting tile for $batch of $m x $k by $k x $n: $rows x $columns", ({ rows, columns, ...sizes }) => {
  expect(registerTile(true, sizes)).toEqual({ rows, columns });
});

/** Across small tiles and inside one; the same with all lengths multiples of four, and across any tile. */
const odd = [
  [2, 5, 3, 7],
  [1, 33, 35, 18],
] as const;
const fours = [
  [2, 4, 8, 4],
  [1, 36, 68, 20],
] as const;
const large = [[1, 132, 132, 36]] as const;

test.each(eachVariant(matmulShared))("%s", async (_, variant) => {
  const { aAlongK, bAlongK, vec, rows, bias } = variant;
  for (const [batch, m, n, k] of rows > 32 ? large : vec ? fours : odd) {
    const a = normal(aAlongK ? [batch, m, k] : [batch, k, m], 1);
    const b = normal(bAlongK ? [batch, n, k] : [batch, k, n], 2);
    const params = {
      ...{ batch, m, n, k },
      ...(aAlongK ? { aRow: k, aColumn: 1 } : { aRow: 1, aColumn: m }),
      ...(bAlongK ? { bRow: 1, bColumn: k } : { bRow: n, bColumn: 1 }),
      aBatch: m * k,
      bBatch: n * k,
    };
    const options = { transposeA: !aAlongK, transposeB: bAlongK };
    const magnitude = matmul(map(a, Math.abs), map(b, Math.abs), options);
    for (const { given, biasPitch, to, size } of added(bias, [batch, m, n])) {
      const { c } = await launched(
        matmulShared,
        variant,
        { a, b, ...given },
        { c: [batch, m, n] },
        { ...params, biasPitch },
      );
      const what = `${batch} x ${m} x ${n} x ${k}, a bias every ${biasPitch}`;
      expectNear(c!, to(matmul(a, b, options)), { terms: k, magnitude: size(magnitude) }, what);
    }
  }
});

test.each([true, false])("one matrix for a batch in shared tiles, in fours: %s", async (vec) => {
  const [batch, m, n, k] = vec ? [3, 8, 12, 4] : [3, 6, 5, 4];
  const [a, b] = [normal([m, k], 1), normal([batch, k, n], 2)];
  const params = {
    ...{ batch, m, n, k, biasPitch: 0 },
    ...{ aBatch: 0, aRow: k, aColumn: 1, bBatch: n * k, bRow: n, bColumn: 1 },
  };
  const variant = { ...testedTiles[0]!, aAlongK: true, bAlongK: false, vec, bias: "none" as const };
  const { c } = await launched(matmulShared, variant, { a, b }, { c: [batch, m, n] }, params);
  near(c!, a, b, k, "broadcast");
});

const deep = sharedTiles.find(({ slab }) => slab === 64)!;

test.skipIf(engine.hardware.maxWorkgroupStorage < tileBytes(deep))(
  "a slab of more terms than are written out at once, and what is left of k",
  async () => {
    const [m, n, k] = [36, 40, 132];
    const variant = { ...deep, aAlongK: true, bAlongK: true, vec: true, bias: "none" } as const;
    const [a, b] = [normal([m, k], 1), normal([n, k], 2)];
    const sizes = { batch: 1, m, n, k, aBatch: 0, bBatch: 0, biasPitch: 0 };
    const steps = { aRow: k, aColumn: 1, bRow: 1, bColumn: k };
    const { c } = await launched(matmulShared, variant, { a, b }, { c: [m, n] }, { ...sizes, ...steps });
    const options = { transposeB: true };
    const magnitude = matmul(map(a, Math.abs), map(b, Math.abs), options);
    expectNear(c!, matmul(a, b, options), { terms: k, magnitude });
  },
);

test("pack lays any strides out in vec4s, zeros behind", async () => {
  for (const [batch, rows, columns, turned] of [
    [1, 3, 5, false],
    [2, 4, 7, true],
    [3, 1, 1, false],
    [1, 6, 8, true],
    [3, 8, 5, true],
    [2, 4, 12, true],
    [5, 100, 33, true],
  ] as const) {
    const x = normal([batch, rows, columns], 1);
    const at = (b: number, r: number, c: number) =>
      b * rows * columns + (turned ? c * rows + r : r * columns + c);
    const expected = packed(x, at, batch, rows, columns);
    const params = {
      batch,
      rows,
      columns,
      batchStride: rows * columns,
      rowStride: turned ? 1 : columns,
      columnStride: turned ? rows : 1,
    };
    for (const blocks of turned && rows % 4 === 0 ? [false, true] : [false]) {
      const { y } = await launched(pack, { turned: blocks }, { x }, { y: expected.shape }, params);
      expectNear(y!, expected);
    }
  }
});
