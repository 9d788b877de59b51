import { type Array64, map } from "./array.ts";

/** x where a sample's u > exp(logRatio) or the ratio is NaN, else y. x, y [n,...]; logRatio, u on (0, 1]: [n]. */
export function metropolis(x: Array64, y: Array64, logRatio: Array64, u: Array64): Array64 {
  const size = x.data.length / x.shape[0]!;
  return map(x, (value, i) => {
    const n = Math.floor(i / size);
    return Math.log(u.data[n]!) <= logRatio.data[n]! ? y.data[i]! : value;
  });
}
