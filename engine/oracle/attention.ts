import { type Array64, map } from "./array.ts";
import { matmul } from "./matmul.ts";
import { softmax } from "./softmax.ts";

/** P [B,T,S]: P_ij = softmax over j of scale * sum_c q[c,i] k[c,j]. */
export function weights(q: Array64, k: Array64, scale: number): Array64 {
  return softmax(map(matmul(q, k, { transposeA: true }), (value) => scale * value));
}

/** Channel-major attention. q [B,C,T], k [B,C,S], v [B,D,S] -> [B,D,T], out[c,i] = sum_j P_ij v[c,j]. */
export function attention(q: Array64, k: Array64, v: Array64, scale: number): Array64 {
  return matmul(v, weights(q, k, scale), { transposeB: true });
}
