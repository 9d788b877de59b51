import { type Array64, map } from "./array.ts";

/** sum + share x, or share x where the sum is begun. */
export const accumulate = (sum: Array64, x: Array64, share: number, begin: boolean): Array64 =>
  map(x, (v, i) => (begin ? 0 : sum.data[i]!) + share * v);
