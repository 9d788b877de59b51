import { type Array64, map } from "./array.ts";

/** Towards 0, as floats become whole numbers. The other way a whole number stays what it is. */
export const truncate = (x: Array64): Array64 => map(x, (v) => Math.trunc(v) + 0);
