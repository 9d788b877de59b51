import { type Array64, map } from "./array.ts";

/** x + sum of factors[j] terms[j], all of one shape. */
export const combine = (x: Array64, terms: readonly Array64[], factors: readonly number[]): Array64 =>
  map(x, (value, i) => terms.reduce((total, k, j) => total + factors[j]! * k.data[i]!, value));
