import type { Engine } from "../../engine/engine.ts";
import { add, matmul, max, scale } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { distanceOf, type PointPair, type Points, type Spread, spreadOf } from "./points.ts";

export interface LargestDistanceOptions {
  /** Points of a tile; by their size unless told. */
  tile?: number;
  /** Bytes of the device for tiles that may be wanted again; 1 GiB unless told. */
  memory?: number;
  /** Told how many of all pairs of tiles are done with. */
  onProgress?: (done: number, total: number) => void;
}

export interface LargestDistance extends PointPair {
  /** Pairs of tiles that were compared; the others cannot hold a larger distance. */
  readonly compared: number;
  /** All pairs of tiles. */
  readonly total: number;
}

/** Numbers of a tile. */
const TILE = 2 ** 20;

/**
 * The largest distance of two points, exactly: sigma_1 of Song & Ermon 2020, technique 1. Tiles of points are compared on the
 * device by |a|^2 + |b|^2 - 2 a.b about the mean of all, where |a| and |b| are at most the largest distance and nothing
 * cancels for far pairs; what comes within rounding of the largest is measured anew in float64. Tiles go by distance
 * from the mean, and those whose farthest points together are nearer than the largest distance found are left out.
 * Throws UsageError for fewer than two points.
 */
export async function largestDistance(
  engine: Engine,
  points: Points,
  { tile, memory = 2 ** 30, onProgress }: LargestDistanceOptions = {},
): Promise<LargestDistance> {
  const spread = spreadOf(points);
  using tiles = new Tiles(engine, points, spread, { size: tile ?? rowsFor(points), memory });
  const pairs = tiles.pairs();
  let best: PointPair = { pair: [0, 1], distance: distanceOf(points, 0, 1) };
  let compared = 0;
  for (const { s, t, reach } of pairs) {
    if (reach < best.distance) break;
    best = await farther(tiles, points, [s, t], best);
    onProgress?.(++compared, pairs.length);
  }
  onProgress?.(pairs.length, pairs.length);
  return { ...best, compared, total: pairs.length };
}

const rowsFor = ({ count, dimensions }: Points): number =>
  Math.min(count, Math.max(16, Math.min(512, Math.floor(TILE / dimensions))));

/** The farthest pair between two tiles if it is farther than the best so far. */
async function farther(
  tiles: Tiles,
  points: Points,
  [s, t]: readonly [number, number],
  best: PointPair,
): Promise<PointPair> {
  const { engine } = tiles;
  const { squares, largest } = engine.scope(() => {
    const [a, b] = [tiles.at(s), tiles.at(t)];
    const products = matmul(a.rows, b.rows, { transposeB: true }); // [m,k]
    const squares = add(add(scale(products, -2), a.column), b.row);
    return { squares, largest: max(squares) };
  });
  const slack = tiles.slack(s, t);
  let found = best;
  if ((await largest.item()) + slack > best.distance ** 2) {
    const values = await squares.data();
    const width = tiles.members(t).length;
    const near = [...values.keys()].filter((k) => values[k]! + slack > best.distance ** 2);
    near.sort((i, j) => values[j]! - values[i]!);
    for (const k of near) {
      if (values[k]! + slack <= found.distance ** 2) break;
      const pair = [tiles.members(s)[Math.floor(k / width)]!, tiles.members(t)[k % width]!] as const;
      const distance = distanceOf(points, ...pair);
      if (distance > found.distance) found = { pair, distance };
    }
  }
  for (const x of [squares, largest]) x.dispose();
  return found;
}

interface Tile {
  /** Points about the mean, [m,D]; their squared lengths, [m,1] and [1,m]. */
  readonly rows: Tensor;
  readonly column: Tensor;
  readonly row: Tensor;
}

/** The points in tiles, those farthest from the mean first; the newest stay on the device as far as there is room. */
class Tiles implements Disposable {
  readonly engine: Engine;
  readonly #points: Points;
  readonly #spread: Spread;
  readonly #order: Uint32Array;
  readonly #size: number;
  readonly #room: number;
  readonly #held = new Map<number, Tile>();

  constructor(
    engine: Engine,
    points: Points,
    spread: Spread,
    { size, memory }: { size: number; memory: number },
  ) {
    this.engine = engine;
    this.#points = points;
    this.#spread = spread;
    this.#size = size;
    this.#order = Uint32Array.from({ length: points.count }, (_, i) => i).sort(
      (i, j) => spread.radii[j]! - spread.radii[i]!,
    );
    this.#room = Math.max(2, Math.floor(memory / (4 * size * points.dimensions)));
  }

  /** Pairs of tiles by the largest distance that they may hold, descending. */
  pairs(): { s: number; t: number; reach: number }[] {
    const count = Math.ceil(this.#points.count / this.#size);
    const pairs: { s: number; t: number; reach: number }[] = [];
    for (let s = 0; s < count; s++)
      for (let t = s; t < count; t++) pairs.push({ s, t, reach: this.#radius(s) + this.#radius(t) });
    return pairs.sort((a, b) => b.reach - a.reach);
  }

  /** Indices of a tile's points. */
  members(t: number): Uint32Array {
    return this.#order.subarray(t * this.#size, (t + 1) * this.#size);
  }

  /** What rounding may take from a squared distance between two tiles, with room to spare. */
  slack(s: number, t: number): number {
    return 1e-6 * Math.sqrt(this.#points.dimensions) * (this.#radius(s) + this.#radius(t)) ** 2;
  }

  at(t: number): Tile {
    const held = this.#held.get(t);
    if (held) {
      this.#held.delete(t); // to the end: the newest
      this.#held.set(t, held);
      return held;
    }
    if (this.#held.size >= this.#room) {
      const [oldest, gone] = this.#held.entries().next().value!;
      this.#held.delete(oldest);
      free(gone);
    }
    const made = this.#upload(this.members(t));
    this.#held.set(t, made);
    return made;
  }

  [Symbol.dispose](): void {
    for (const tile of this.#held.values()) free(tile);
  }

  /** Of a tile's farthest point from the mean. */
  #radius(t: number): number {
    return this.#spread.radii[this.members(t)[0]!]!;
  }

  #upload(members: Uint32Array): Tile {
    const { dimensions } = this.#points;
    const { mean, radii } = this.#spread;
    const values = new Float32Array(members.length * dimensions);
    members.forEach((i, k) => {
      this.#points.read(i, values, k * dimensions);
      for (let d = 0; d < dimensions; d++) values[k * dimensions + d]! -= mean[d]!;
    });
    const squares = Float32Array.from(members, (i) => radii[i]! ** 2);
    const keep = (data: Float32Array<ArrayBuffer>, shape: number[]) =>
      this.engine.untrack(this.engine.tensor(data, shape));
    return {
      rows: keep(values, [members.length, dimensions]),
      column: keep(squares, [members.length, 1]),
      row: keep(squares, [1, members.length]),
    };
  }
}

const free = (tile: Tile): void => {
  for (const t of Object.values(tile)) t.dispose();
};
