/** Which tile a product takes on a GPU. */
import { expect, test } from "vitest";
import { convWeightWay, type WeightProblem } from "../../kernels/conv-weight-ways.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { matmulWay, matmulWays } from "../../kernels/matmul.ts";
import { tileBytes, tileCount, tileThreads } from "../../kernels/tile.ts";
import { heldTiles, sharedTiles, usualTile } from "../../kernels/tile-choice.ts";
import { engine } from "../support/engine.ts";

const large: Hardware = {
  ...engine.hardware,
  kind: "gpu",
  writesOut: true,
  maxWorkgroupSize: 1024,
  maxWorkgroupStorage: 49_152,
};
const smallest: Hardware = { ...large, maxWorkgroupSize: 256, maxWorkgroupStorage: 16_384 };

const sizes = [
  { batch: 1, m: 64, n: 256 },
  { batch: 1, m: 512, n: 512 },
  { batch: 1, m: 1024, n: 1024 },
  { batch: 1, m: 4096, n: 4096 },
  { batch: 64, m: 256, n: 1024 },
  { batch: 1, m: 128, n: 65_536 },
];

test("large products take large tiles, small ones so many that a GPU is busy", () => {
  const rows = sizes.map((size) => usualTile(large, size).rows);
  expect(rows).toEqual([32, 32, 64, 64, 64, 64]);
  expect(tileCount(1, 512, 512, usualTile(large, sizes[1]!))).toBe(256);
});

test("few workgroups take slabs of 64 terms, if there are as many", () => {
  const few = { batch: 1, m: 64, n: 512 };
  expect(usualTile(large, { ...few, k: 64 })).toMatchObject({ rows: 32, slab: 64 });
  expect(usualTile(large, { ...few, k: 63 })).toMatchObject({ rows: 32, slab: 16 });
  expect(usualTile(large, { batch: 36, m: 256, n: 64, k: 256 })).toMatchObject({ rows: 32, slab: 16 });
  expect(usualTile(smallest, { ...few, k: 64 })).toMatchObject({ rows: 32, slab: 16 });
});

test("large tiles are for an A that lies along m", () => {
  const size = { batch: 36, m: 256, n: 1024, k: 256 };
  expect(usualTile(large, { ...size, alongM: true }).rows).toBe(128);
  expect(usualTile(large, size).rows).toBe(64);
});

test("no adapter gets a tile that it cannot hold", () => {
  for (const size of sizes) {
    const tile = usualTile(smallest, size);
    expect(tileThreads(tile)).toBeLessThanOrEqual(256);
    expect(tileBytes(tile)).toBeLessThanOrEqual(16_384);
  }
  expect(heldTiles(large)).toEqual(sharedTiles);
  expect(heldTiles({ ...smallest, maxWorkgroupSize: 64, maxWorkgroupStorage: 9216 })).toContainEqual(
    sharedTiles[0],
  );
});

test("the usual ways are among those worth measuring", () => {
  for (const size of sizes)
    expect(matmulWays(large, size)).toContainEqual(matmulWay(large, { ...size, k: 64 }));
});

test("weight gradients to few channels are summed by rows on GPUs, of many by Winograd's transforms where these fit", () => {
  const layer: WeightProblem = {
    ...{ n: 8, ci: 128, co: 128, kh: 3, kw: 3 },
    size: [32, 32],
    stride: [1, 1],
    dilation: [1, 1],
  };
  const usual = (change: Partial<WeightProblem>, hw = large) =>
    convWeightWay(hw, { ...layer, ...change }).kernel;
  expect(usual({ ci: 3 })).toBe("gemm");
  expect(usual({ co: 1 })).toBe("rows");
  expect(usual({})).toBe("winograd");
  expect(usual({ ci: 32, co: 32 })).toBe("gemm");
  expect(usual({ stride: [2, 2], size: [16, 16] })).toBe("gemm");
  expect(usual({ kh: 1, kw: 1 })).toBe("gemm");
  expect(usual({ ci: 2048, co: 2048, size: [8, 8] }, { ...large, maxBinding: 2 ** 27 })).toBe("gemm");
  const cpu = { ...large, kind: "cpu" } as const;
  expect(usual({}, cpu)).toBe("winograd");
  expect(usual({ ci: 4 }, cpu)).toBe("rows");
  expect(usual({ stride: [2, 2], size: [16, 16] }, cpu)).toBe("rows");
});
