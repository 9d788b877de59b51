import { availableParallelism } from "node:os";
import { join } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { type ImageSet, imageSize } from "./dataset.ts";
import { DecoderPool } from "./decoder-pool.ts";
import type { Preparation } from "./prepare.ts";

interface StreamOptions {
  /** Bytes of images to hold; the first that are read stay, for later epochs. */
  memory: number;
  /** Threads that decode. Default: all cores but one, at most 8. */
  threads?: number;
}

/** What a streamed set has done so far. */
interface StreamStats {
  /** Milliseconds in which the reader had to wait. */
  waited: number;
  /** Images decoded, those decoded again counted again. */
  decoded: number;
  /** Images held now, and most of them at once. */
  held: number;
  peak: number;
}

export interface StreamedSet extends ImageSet {
  expect(indices: ArrayLike<number>): void;
  stats(): StreamStats;
  /** Ends its threads. Without it they end with the process. */
  close(): Promise<void>;
}

/** Share of the memory for images that were asked for and not read yet. */
const AHEAD = 1 / 4;

/** Threads that decode, unless told. */
export const decodingThreads = (): number => Math.max(1, Math.min(8, availableParallelism() - 1));

/**
 * The files at paths below folder as a set that decodes them on threads: ahead of need where `expect` told what comes,
 * else while the reader waits. Three quarters of the memory keep the images that were read first: in shuffled epochs
 * that spares more decoding than keeping the last ones read. Throws UsageError when the memory is below 8 images; a
 * damaged file is told when it is read.
 */
export function streamed(
  folder: string,
  paths: readonly string[],
  preparation: Preparation,
  { memory, threads = decodingThreads() }: StreamOptions,
): StreamedSet {
  const { size, channels } = preparation;
  const shape = { name: folder, count: paths.length, channels, height: size, width: size };
  const pixels = imageSize({ ...shape, image: () => {} });
  const room = Math.floor(memory / pixels);
  if (room < 8) {
    throw new UsageError(
      `image folder: got memory for ${room} images of ${pixels} bytes, expected at least 8; raise data.memory`,
    );
  }
  const ahead = Math.floor(room * AHEAD);
  const told = ahead - 1; // one place for an image that was not told of
  const pool = new DecoderPool(preparation, threads);
  const kept = new Map<number, Uint8Array>();
  const asked = new Set<number>();
  const ready = new Map<number, Uint8Array | UsageError>(); // and not read yet
  const stats: StreamStats = { waited: 0, decoded: 0, held: 0, peak: 0 };
  const path = (i: number) => join(folder, paths[i]!);

  const ask = (i: number) => {
    asked.add(i);
    pool.ask(i, path(i));
  };

  const collect = () => {
    for (const answer of pool.answers()) {
      asked.delete(answer.i);
      ready.set(answer.i, "fault" in answer ? new UsageError(answer.fault) : answer.bytes);
      stats.decoded++;
    }
    stats.held = kept.size + ready.size;
    stats.peak = Math.max(stats.peak, stats.held);
  };

  const waitFor = (i: number) => {
    if (!asked.has(i)) {
      if (asked.size + ready.size >= told) ready.clear(); // nobody came for them
      ask(i);
    }
    const start = performance.now();
    for (collect(); !ready.has(i); collect()) pool.wait(path(i));
    stats.waited += performance.now() - start;
  };

  const bytesOf = (i: number): Uint8Array => {
    const held = kept.get(i);
    if (held) return held;
    if (!ready.has(i)) collect();
    if (!ready.has(i)) waitFor(i);
    const bytes = ready.get(i)!;
    if (bytes instanceof UsageError) throw bytes;
    ready.delete(i);
    if (kept.size < room - ahead) kept.set(i, bytes);
    return bytes;
  };

  return {
    ...shape,
    image(i, out, offset) {
      const bytes = bytesOf(i);
      for (let p = 0; p < pixels; p++) out[offset + p] = bytes[p]! / 255;
    },
    expect(indices) {
      collect();
      for (let n = 0; n < indices.length && asked.size + ready.size < told; n++) {
        const i = indices[n]!;
        if (!kept.has(i) && !asked.has(i) && !ready.has(i)) ask(i);
      }
    },
    stats: () => ({ ...stats }),
    close: () => pool.close(),
  };
}
