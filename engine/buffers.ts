import { DeviceError } from "./errors.ts";
import { LowestFirst } from "./lowest-first.ts";

/** One GPUBuffer of the pool. */
export interface Block {
  readonly buffer: GPUBuffer;
  readonly bytes: number;
  readonly id: number;
  /** The submit it was last used in, so that host writes keep their order. */
  serial: number;
  /** When it was last written, as the stream counts writes; 0 before the first. */
  written: number;
}

/** What Engine.memory tells. */
export interface MemoryReport {
  /** Bytes that tensors hold now, in size classes. */
  readonly live: number;
  /** The largest `live` since the engine was created or `resetPeak` was called. */
  readonly peak: number;
  /** Bytes of freed buffers that wait for reuse. */
  readonly pooled: number;
  /** Buffers created so far; flat once a training loop is warm. */
  readonly created: number;
  /** The most that `live` may be; Infinity where the driver does not tell. */
  readonly budget: number;
}

/** Bytes in use over all pools of an engine, and the most they may be. */
export class MemoryLedger {
  live = 0;
  peak = 0;
  pooled = 0;
  created = 0;
  readonly budget: number;

  constructor(budget: number) {
    this.budget = budget;
  }

  take(bytes: number): void {
    this.live += bytes;
    this.peak = Math.max(this.peak, this.live);
  }

  report(): MemoryReport {
    const { live, peak, pooled, created, budget } = this;
    return { live, peak, pooled, created, budget };
  }
}

/**
 * Free lists of buffers by size class. WebGPU memory is invisible to the garbage collector, so nothing here
 * waits for it: what is released is reused by later dispatches at once (the queue keeps their order).
 *
 * Of the free buffers that fit, the oldest is taken, not the one that came back last: which one depends on what is free
 * alone, so a step that leaves free what it found free gets the same buffers when it comes again, and with them the same
 * bind groups. Taken from a stack, they would change places with each step.
 */
export class BufferPool {
  static #nextId = 1;
  readonly #free = new Map<number, LowestFirst<Block>>();
  readonly #used = new Set<Block>();
  readonly #device: GPUDevice;
  readonly #ledger: MemoryLedger;
  readonly #maxBufferSize: number;
  readonly #send: () => void;
  readonly #makeRoom: () => void;
  #closed: string | undefined;
  #sealed = false;
  /** Told of each block that comes back. */
  onRelease: ((block: Block) => void) | undefined;

  /**
   * `send` submits pending work, which may still use buffers that are free already. `makeRoom` gives up buffers where the
   * budget is short, its own unless told: those of a step that will be replayed are free only until then.
   */
  constructor(
    device: GPUDevice,
    ledger: MemoryLedger,
    maxBufferSize: number,
    send: () => void,
    makeRoom = () => this.trim(),
  ) {
    this.#device = device;
    this.#ledger = ledger;
    this.#maxBufferSize = maxBufferSize;
    this.#send = send;
    this.#makeRoom = makeRoom;
  }

  /** Why its buffers are gone, once they are. */
  get closed(): string | undefined {
    return this.#closed;
  }

  /** Throws DeviceError when the adapter or the budget cannot hold it, naming who asked for how much. */
  acquire(bytes: number, who: () => string): Block {
    const size = Math.min(sizeClass(bytes), Math.max(bytes, this.#maxBufferSize));
    const reused = this.#sealed ? undefined : this.#free.get(size)?.take();
    if (reused) {
      this.#ledger.pooled -= size;
      this.#ledger.take(size);
      this.#used.add(reused);
      return reused;
    }
    this.#refuse(size, who);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.#device.createBuffer({ label: who(), size, usage });
    this.#ledger.created++;
    this.#ledger.take(size);
    const block = { buffer, bytes: size, id: BufferPool.#nextId++, serial: -1, written: 0 };
    this.#used.add(block);
    return block;
  }

  release(block: Block): void {
    if (this.#closed) return;
    this.onRelease?.(block);
    this.#used.delete(block);
    let free = this.#free.get(block.bytes);
    if (!free) this.#free.set(block.bytes, (free = new LowestFirst()));
    free.add(block);
    this.#ledger.live -= block.bytes;
    this.#ledger.pooled += block.bytes;
  }

  /** From now on what is free stays free: a step will be replayed that uses it. */
  seal(): void {
    this.#sealed = true;
  }

  /** Destroys every free buffer, but for `kept`. */
  trim(kept: ReadonlySet<Block> = new Set()): void {
    this.#send();
    for (const [bytes, free] of this.#free) {
      const left = new LowestFirst<Block>();
      for (const block of free) {
        if (kept.has(block)) left.add(block);
        else block.buffer.destroy();
      }
      this.#ledger.pooled -= bytes * (free.size - left.size);
      this.#free.set(bytes, left);
    }
  }

  /** Destroys every buffer, those in use too; what is released later is ignored. `why` is for those who ask for them. */
  close(why: string): void {
    this.trim();
    for (const block of this.#used) {
      block.buffer.destroy();
      this.#ledger.live -= block.bytes;
    }
    this.#used.clear();
    this.#closed = why;
  }

  #refuse(size: number, who: () => string): void {
    const [asked, most] = toldApart(size, this.#maxBufferSize);
    if (size > this.#maxBufferSize)
      throw new DeviceError(
        `${who()}: out of memory: asked for ${asked}, one buffer of this adapter holds at most ${most}; use a smaller ` +
          "batch or image",
      );
    const { live, budget } = this.#ledger;
    if (live + size <= budget) {
      if (live + size + this.#ledger.pooled > budget) this.#makeRoom();
      return;
    }
    throw new DeviceError(
      `${who()}: out of memory: asked for ${mebibytes(size)} with ${mebibytes(live)} in use, the budget is ` +
        `${mebibytes(budget)}; use a smaller batch, or raise Engine.create({ memoryBudget })`,
    );
  }
}

/** Multiples of 256 bytes, above 2 KiB eight classes to each power of two: at most 12.5 % is wasted. */
export function sizeClass(bytes: number): number {
  const step = bytes <= 2048 ? 256 : 2 ** (Math.floor(Math.log2(bytes - 1)) - 3);
  const rounded = Math.max(256, Math.ceil(bytes / step) * step);
  return Math.ceil(rounded / 256) * 256;
}

export const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** Two sizes for people, in bytes where mebibytes would be the same. */
export function toldApart(a: number, b: number): [a: string, b: string] {
  const inMebibytes = [mebibytes(a), mebibytes(b)] as [string, string];
  return inMebibytes[0] === inMebibytes[1] ? [`${a} bytes`, `${b} bytes`] : inMebibytes;
}
