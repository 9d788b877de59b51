import { type ImageSet, split, toBatch } from "../../data/dataset.ts";
import { digits } from "../../data/digits.ts";

/** The drawn digits that were kept from training: the network has never seen them. */
export class HeldBack {
  readonly #set: ImageSet;
  readonly #ofDigit: readonly (readonly number[])[];

  constructor(heldBack: number) {
    this.#set = split(digits(), { heldBack }).heldBack;
    const indices = Array.from({ length: heldBack }, (_, i) => i);
    this.#ofDigit = Array.from({ length: 10 }, (_, digit) =>
      indices.filter((i) => this.#set.label!(i) === digit),
    );
  }

  /** How many hands have written each digit, at the least. */
  get hands(): number {
    return Math.min(...this.#ofDigit.map(({ length }) => length));
  }

  /** A digit by one of the hands, from 1: [1,h,w] in [0, 1]. */
  image(digit: number, hand: number): Float32Array<ArrayBuffer> {
    return toBatch(this.#set, [this.#ofDigit[digit]![hand - 1]!]) as Float32Array<ArrayBuffer>;
  }
}
