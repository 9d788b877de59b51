import { philox4x32 } from "../engine/oracle/philox.ts";
import { purposes } from "../engine/random.ts";

/**
 * Which images and noise scales a step sees, as a function of (seed, step) alone: a resumed run sees what the
 * unbroken one would have. Images come in shuffled epochs laid end to end; labels are uniform.
 */
export class Batches {
  /** Of a batch. */
  readonly size: number;
  readonly #count: number;
  readonly #seed: number;
  readonly #order: (seed: number, epoch: number, count: number) => Uint32Array;
  readonly #epochs = new Map<number, Uint32Array>();

  constructor(options: {
    count: number;
    size: number;
    seed: number;
    order: (seed: number, epoch: number, count: number) => Uint32Array;
  }) {
    this.#count = options.count;
    this.size = options.size;
    this.#seed = options.seed;
    this.#order = options.order;
  }

  /** Indices of the images of a step, [size]. */
  images(step: number): Uint32Array {
    return Uint32Array.from({ length: this.size }, (_, i) => {
      const at = step * this.size + i;
      return this.#epoch(Math.floor(at / this.#count))[at % this.#count]!;
    });
  }

  /** Labels of a step, whole numbers below `levels`, [size]. */
  labels(step: number, levels: number): Int32Array<ArrayBuffer> {
    const key = [this.#seed % 2 ** 32, Math.floor(this.#seed / 2 ** 32)] as const;
    return Int32Array.from({ length: this.size }, (_, i) => {
      const word = philox4x32([0, i, step, purposes.labels], key)[0];
      return Math.floor((word / 2 ** 32) * levels);
    });
  }

  #epoch(epoch: number): Uint32Array {
    let order = this.#epochs.get(epoch);
    if (!order) {
      if (this.#epochs.size > 1) this.#epochs.clear();
      this.#epochs.set(epoch, (order = this.#order(this.#seed, epoch, this.#count)));
    }
    return order;
  }
}
