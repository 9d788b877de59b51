/**
 * A number that a captured step reads anew at every replay: a learning rate, a step counter, a sigma.
 * Wherever an op takes a scalar it takes either a number, fixed at capture, or a Scalar. A derivative reads it when it is
 * computed: leave a Scalar as it is between an op and its gradient.
 */
export class Scalar {
  value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A number that is fixed at capture, or one that replays read anew. */
export type ScalarLike = number | Scalar;

/** Whether something given is a number of either kind. */
export const isScalar = (s: unknown): s is ScalarLike => typeof s === "number" || s instanceof Scalar;

export const numberOf = (s: ScalarLike): number => (typeof s === "number" ? s : s.value);
