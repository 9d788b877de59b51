import { unroll } from "./kernel.ts";

/*
 * Kernels that work on several tensors in one launch: parts of the first come before those of the second and so on, as many as
 * each has by its count. The work stands once for each tensor, in branches of which a workgroup mostly enters one: choosing
 * arrays where elements are loaded took llvmpipe up to three times as long.
 */

/**
 * WGSL: to which tensor the `index`-th part of `each` elements belongs. `tensor` is its number, `own` the part's among the
 * tensor's, `count` what the tensor has of elements, `parts` those of all tensors; beyond them it is past the last one's count.
 */
export const findTensor = (tensors: number, index: string, each: number): string => `
      var parts = 0u;
      var first = 0u;
      var tensor = 0u;
      var count = 0u;
      ${unroll(
        tensors,
        (k) => `if (${index} >= parts) { first = parts; tensor = ${k}u; count = p.count${k}; }
      parts += (p.count${k} + ${each - 1}u) / ${each}u;`,
      )}
      let own = ${index} - first;`;

/** WGSL: `body` of the tensor's number, found by halving: llvmpipe jumps over branches that none of its lanes enters. */
export function ofTensor(tensors: number, body: (k: number) => string): string {
  const among = (from: number, to: number): string => {
    if (to - from === 1) return body(from);
    const middle = (from + to) >> 1;
    return `if (tensor < ${middle}u) { ${among(from, middle)} } else { ${among(middle, to)} }`;
  };
  return among(0, tensors);
}
