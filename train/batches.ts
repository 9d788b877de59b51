import { UsageError } from "../engine/errors.ts";
import { philox4x32 } from "../engine/oracle/philox.ts";
import { purposes } from "../engine/random.ts";
import { showShape } from "../engine/shapes.ts";

export interface BatchesOptions {
  /** Images to choose from. */
  count: number;
  /** Of a batch. */
  size: number;
  /** How many equal parts of a batch go through the network one after the other; 1 unless given. */
  parts?: number;
  seed: number;
  /** Indices of an epoch, each below `count` once. */
  order: (seed: number, epoch: number, count: number) => Uint32Array;
}

/**
 * Which images and noise scales a step sees, as a function of (seed, step) alone: a resumed run sees what the
 * unbroken one would have. Images come in shuffled epochs laid end to end; labels are uniform.
 */
export class Batches {
  /** Of a batch. */
  readonly size: number;
  /** Of each batch. */
  readonly parts: number;
  /** Images to choose from. */
  readonly count: number;
  readonly #seed: number;
  readonly #order: BatchesOptions["order"];
  readonly #epochs = new Map<number, Uint32Array>();

  /** Throws UsageError unless there are images, the parts are equal, and the seed is a whole number below 2^53. */
  constructor({ count, size, parts = 1, seed, order }: BatchesOptions) {
    if (!Number.isSafeInteger(size) || size < 1)
      throw new UsageError(`Batches: got size ${size}, expected a whole number of images from 1`);
    if (!Number.isInteger(parts) || parts < 1 || size % parts !== 0)
      throw new UsageError(
        `Batches: got parts ${parts} of batches of ${size}, expected a divisor of ${size}`,
      );
    if (!Number.isSafeInteger(count) || count < 1)
      throw new UsageError(`Batches: got count ${count}, expected a whole number of images from 1`);
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new UsageError(`Batches: got seed ${seed}, expected a whole number from 0 to 2^53 - 1`);
    this.count = count;
    this.size = size;
    this.parts = parts;
    this.#seed = seed;
    this.#order = order;
  }

  /** Images of a part. */
  get partSize(): number {
    return this.size / this.parts;
  }

  /** Indices of the images of a step, [size]. */
  images(step: number): Uint32Array {
    return Uint32Array.from({ length: this.size }, (_, i) => {
      const at = step * this.size + i;
      return this.#epoch(Math.floor(at / this.count))[at % this.count]!;
    });
  }

  /** Labels of a part of a step, whole numbers below `levels`, [partSize]. */
  labels(step: number, levels: number, part = 0): Int32Array<ArrayBuffer> {
    const key = [this.#seed % 2 ** 32, Math.floor(this.#seed / 2 ** 32)] as const;
    const first = part * this.partSize;
    return Int32Array.from({ length: this.partSize }, (_, i) => {
      const word = philox4x32([0, first + i, step, purposes.labels], key)[0];
      return Math.floor((word / 2 ** 32) * levels);
    });
  }

  /** Throws UsageError unless a shape [n, c, h, w] is of a whole batch. */
  requireOf(who: string, shape: readonly number[]): void {
    if (shape[0] !== this.size)
      throw new UsageError(
        `${who}: got shape ${showShape(shape)} and batches of ${this.size} images, expected as many images in both`,
      );
  }

  #epoch(epoch: number): Uint32Array {
    let order = this.#epochs.get(epoch);
    if (!order) {
      if (this.#epochs.size > 1) this.#epochs.clear();
      this.#epochs.set(epoch, (order = this.#order(this.#seed, epoch, this.count)));
    }
    return order;
  }
}
