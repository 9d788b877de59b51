import { type Block, BufferPool, MemoryLedger, type MemoryReport } from "./buffers.ts";
import { phantomPool } from "./dry.ts";
import type { CommandStream } from "./stream.ts";
import { type Shape, Storage } from "./tensor.ts";

/** The pools of a capture: what its commands use, and what its host values live in. */
type CapturePools = readonly [used: BufferPool, constants: BufferPool];

/** An engine's memory: the pool that new tensors take theirs from at the moment, and the count of all that is taken. */
export class Memory {
  readonly #device: GPUDevice;
  readonly #stream: CommandStream;
  readonly #maxBufferSize: number;
  #ledger: MemoryLedger;
  #pool: BufferPool;
  /** What a capture's host values live in: no replay may write there, so nothing else ever does. */
  #constants: BufferPool | undefined;

  /** Bytes that tensors may hold at once, and that one buffer may. */
  constructor(device: GPUDevice, stream: CommandStream, budget: number, maxBufferSize: number) {
    this.#device = device;
    this.#stream = stream;
    this.#maxBufferSize = maxBufferSize;
    this.#ledger = new MemoryLedger(budget);
    this.#pool = this.#newPool();
    this.#pool.onRelease = (block) => stream.released(block);
  }

  /** For what is computed. */
  storage(bytes: number, shape: Shape): Storage {
    return new Storage(this.#pool, bytes, shape);
  }

  /** For what the host gives. In a capture it stays until the capture goes. */
  hostStorage(bytes: number, shape: Shape): Storage {
    if (!this.#constants) return this.storage(bytes, shape);
    return new Storage(this.#constants, bytes, shape).retain();
  }

  /** Bytes that may be taken to save time: an eighth of the budget and half of what is left of it, 512 MiB where it is not known. */
  get spare(): number {
    const { budget, live } = this.#ledger;
    return Math.min(Number.isFinite(budget) ? budget / 8 : 2 ** 29, (budget - live) / 2);
  }

  report(): MemoryReport {
    return this.#ledger.report();
  }

  resetPeak(): void {
    this.#ledger.peak = this.#ledger.live;
  }

  /** Gives pooled buffers back to the driver. */
  trim(): void {
    this.#stream.flush();
    this.#pool.trim();
    this.#stream.forgetBindGroups();
  }

  /**
   * Runs `fn` with pools of its own, which it may keep, and tells of each block that comes back to the first meanwhile. If
   * `fn` fails they are closed.
   */
  apart<T>(onRelease: (block: Block) => void, fn: (pools: CapturePools) => T): T {
    const outer = this.#pool;
    const makeRoom = () => outer.trim(); // a replay will want what is free in its own
    const pools = [this.#newPool(makeRoom), this.#newPool(makeRoom)] as const;
    pools[0].onRelease = onRelease;
    [this.#pool, this.#constants] = pools;
    try {
      const result = fn(pools);
      pools[0].seal();
      return result;
    } catch (error) {
      for (const pool of pools) pool.close("its capture failed");
      this.#stream.forgetBindGroups();
      throw error;
    } finally {
      pools[0].onRelease = undefined;
      this.#pool = outer;
      this.#constants = undefined;
    }
  }

  /** Runs `fn` with memory counted from 0 and not taken. */
  counted<T>(fn: () => T): T {
    const before = [this.#ledger, this.#pool] as const;
    this.#ledger = new MemoryLedger(Infinity);
    const pool = phantomPool(this.#ledger);
    this.#pool = pool;
    try {
      return fn();
    } finally {
      pool.close("it was made in a walk without the device, by prepare or dry; make it before");
      [this.#ledger, this.#pool] = before;
    }
  }

  #newPool(makeRoom?: () => void): BufferPool {
    const send = () => this.#stream.flush();
    return new BufferPool(this.#device, this.#ledger, this.#maxBufferSize, send, makeRoom);
  }
}
