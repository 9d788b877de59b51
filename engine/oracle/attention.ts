import { type Array64, map } from "./array.ts";
import { matmul } from "./matmul.ts";
import { softmax, softmaxGrad } from "./softmax.ts";

/** P [B,T,S]: P_ij = softmax over j of scale * sum_c q[c,i] k[c,j]. */
function weights(q: Array64, k: Array64, scale: number): Array64 {
  return softmax(scaled(matmul(q, k, { transposeA: true }), scale));
}

function scaled(x: Array64, factor: number): Array64 {
  return map(x, (value) => factor * value);
}

/** Channel-major attention. q [B,C,T], k [B,C,S], v [B,D,S] -> [B,D,T], out[c,i] = sum_j P_ij v[c,j]. */
export function attention(q: Array64, k: Array64, v: Array64, scale: number): Array64 {
  return matmul(v, weights(q, k, scale), { transposeB: true });
}

/** Gradients of attention for the cotangent dy [B,D,T]; each has the shape of its input. */
export function attentionGrad(
  q: Array64,
  k: Array64,
  v: Array64,
  dy: Array64,
  scale: number,
): { dq: Array64; dk: Array64; dv: Array64 } {
  const P = weights(q, k, scale); // [B,T,S]
  const dP = matmul(dy, v, { transposeA: true }); // [B,T,S]
  const dS = scaled(softmaxGrad(P, dP), scale); // [B,T,S], of sum_c q[c,i] k[c,j]
  return {
    dq: matmul(k, dS, { transposeB: true }), // sum_j k[c,j] dS_ij
    dk: matmul(q, dS), // sum_i q[c,i] dS_ij
    dv: matmul(dy, P), // sum_i dy[c,i] P_ij
  };
}
