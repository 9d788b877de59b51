import { UsageError } from "../../engine/errors.ts";

/**
 * The number of vectors in values [n, dim]. Throws UsageError on a wrong length, too few vectors, values not
 * finite.
 */
export function countVectors(
  who: string,
  name: string,
  values: Float32Array,
  dim: number,
  least = 1,
): number {
  const n = values.length / dim;
  if (!Number.isInteger(n) || n < least) {
    throw new UsageError(
      `${who}: got ${name} of ${values.length} values, expected whole vectors of ${dim}, at least ${least}; ` +
        `give dim as channels * height * width`,
    );
  }
  const wild = values.findIndex((value) => !Number.isFinite(value));
  if (wild >= 0) {
    throw new UsageError(
      `${who}: got ${values[wild]} in ${name} (vector ${Math.floor(wild / dim)}), expected finite values; ` +
        `a sampler that diverged needs smaller steps`,
    );
  }
  return n;
}

/** |a_i - b_j|^2 */
export function squaredDistance(a: Float32Array, i: number, b: Float32Array, j: number, dim: number): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += (a[i * dim + d]! - b[j * dim + d]!) ** 2;
  return sum;
}

/** The middle value; of two middle values the greater. */
export function upperMedian(values: Float64Array): number {
  return values.slice().sort()[values.length >> 1]!;
}
