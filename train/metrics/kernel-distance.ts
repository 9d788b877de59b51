import { UsageError } from "../../engine/errors.ts";
import { countVectors } from "./vectors.ts";

export interface KernelDistanceOptions {
  dim: number;
  /** Vectors of a block, at most. */
  blockSize?: number;
}

export interface KernelDistance {
  /** Mean over the blocks. Unbiased: of equal laws it is as often below 0 as above. */
  readonly value: number;
  /** Of the mean, from the differences between blocks. */
  readonly standardError: number;
  readonly blocks: number;
  /** Vectors of each set in a block. */
  readonly blockSize: number;
}

const LARGEST_BLOCK = 1000; // as published
const LEAST_BLOCKS = 10;

/**
 * Kernel distance of vectors a [n, dim] and b [m, dim]: the squared maximum mean discrepancy under the kernel
 * (x.y / dim + 1)^3, unbiased, over disjoint blocks of both sets; of Inception's features it is the KID (Binkowski et
 * al. 2018, section 4). Vectors should come in random order; those beyond whole blocks are left out. Throws UsageError
 * on shapes, values not finite and fewer than 4 vectors.
 */
export function kernelDistance(
  a: Float32Array,
  b: Float32Array,
  { dim, blockSize: most = LARGEST_BLOCK }: KernelDistanceOptions,
): KernelDistance {
  const n = countVectors("kernelDistance", "a", a, dim, 4);
  const m = countVectors("kernelDistance", "b", b, dim, 4);
  if (!Number.isInteger(most) || most < 2)
    throw new UsageError(`kernelDistance: got blockSize ${most}, expected a whole number from 2`);
  const count = Math.min(n, m);
  const blockSize = Math.max(2, Math.min(most, Math.floor(count / LEAST_BLOCKS)));
  const blocks = Math.floor(count / blockSize);
  const part = (set: Float32Array, k: number) => set.subarray(k * blockSize * dim, (k + 1) * blockSize * dim);
  const values = Float64Array.from({ length: blocks }, (_, k) =>
    cubicMmd(part(a, k), part(b, k), blockSize, dim),
  );
  const value = values.reduce((sum, v) => sum + v, 0) / blocks;
  const squares = values.reduce((sum, v) => sum + (v - value) ** 2, 0);
  return { value, standardError: Math.sqrt(squares / (blocks - 1) / blocks), blocks, blockSize };
}

/** Unbiased squared MMD of n vectors each. */
function cubicMmd(a: Float32Array, b: Float32Array, n: number, dim: number): number {
  const kernel = (x: Float32Array, i: number, y: Float32Array, j: number) => {
    let dot = 0;
    for (let d = 0; d < dim; d++) dot += x[i * dim + d]! * y[j * dim + d]!;
    return (dot / dim + 1) ** 3;
  };
  let [within, between] = [0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) within += kernel(a, i, a, j) + kernel(b, i, b, j);
    for (let j = 0; j < n; j++) between += kernel(a, i, b, j);
  }
  return (2 * within) / (n * (n - 1)) - (2 * between) / (n * n);
}
