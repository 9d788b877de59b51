import type { Hardware } from "./kernel.ts";
import { type Tile, tileBytes, tileCount, tileThreads } from "./tile.ts";

/** Tiles of the kernels for GPUs, the plainest first. */
export const sharedTiles: readonly Tile[] = [
  { rows: 32, columns: 32, slab: 16, eachRows: 4, eachColumns: 4, written: true },
  { rows: 32, columns: 32, slab: 64, eachRows: 4, eachColumns: 4, written: true },
  { rows: 64, columns: 64, slab: 16, eachRows: 8, eachColumns: 8, written: true },
  { rows: 128, columns: 64, slab: 16, eachRows: 8, eachColumns: 8, written: true },
];

/** What tests have to check: each size of a tile, and writing out. */
export const testedTiles: readonly Tile[] = [
  ...sharedTiles.filter(({ slab }) => slab === 16).map((tile) => ({ ...tile, written: false })),
  sharedTiles[0]!,
];

/** Tiles that the hardware can hold. */
export const heldTiles = (hw: Hardware): Tile[] =>
  sharedTiles
    .filter((v) => tileThreads(v) <= hw.maxWorkgroupSize && tileBytes(v) <= hw.maxWorkgroupStorage)
    .map((v) => ({ ...v, written: hw.writesOut ?? false }));

/** Of fewer channels, rows or columns most of a slab or of a tile stays empty. */
export const FILLED = 8;

/** Cores of a large GPU, each of which has a workgroup or several. */
const CORES = 132;
/** Threads that keep a core busy. */
const FULL = 384;

/** The rate of a core full of a tile, as a share of the squares' of 64: on an H200 46 TFLOP/s. */
const PACE: Readonly<Record<string, number>> = {
  "32x32": 0.6,
  "64x64": 1,
  "128x64": 0.96,
};
/** The same of 128x64 where A is not turned on its way. */
const AS_IT_LIES = 1.04;

export interface ProductShape {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  /** Terms, where they are as many at once. */
  readonly k?: number;
  /** A lies along m, else along k. */
  readonly alongM?: boolean;
}

/** Workgroups beside which each core has room for a slab of 64 terms: fewer barriers, half the time where both operands are turned. */
const FEW = 2 * CORES;

/**
 * The tile that should take the least time for C [batch, m, n]: rounds of workgroups over a large GPU's cores, times a
 * workgroup's work. Few threads on a core leave it waiting for memory. All tiles add in one order, so that the choice may
 * know the batch. Fitted to 39 products on an H200: at worst 1.19 of the fastest tile's time, 1.01 on the average.
 */
export function usualTile(hw: Hardware, { batch, m, n, k = 0, alongM = false }: ProductShape): Tile {
  const time = (v: Tile): number => {
    const count = tileCount(batch, m, n, v);
    if (v.slab === 64 && (k < v.slab || count > FEW)) return Infinity;
    const rounds = Math.ceil(count / CORES);
    const busy = Math.min(1, 0.3 + (rounds * tileThreads(v)) / FULL);
    const pace = alongM && v.rows === 128 ? AS_IT_LIES : (PACE[`${v.rows}x${v.columns}`] ?? 0);
    return (rounds * v.rows * v.columns) / (pace * busy);
  };
  return heldTiles(hw).reduce((a, b) => (time(b) <= time(a) ? b : a));
}
