/** Gradients in float64, in closed form, of ops of the oracle. That of norms has a file of its own. */
import { type Array64, array64, map, zeros, zip } from "../../engine/oracle/array.ts";
import { weights } from "../../engine/oracle/attention.ts";
import { matmul } from "../../engine/oracle/matmul.ts";
import { sum } from "../../engine/oracle/reduce.ts";
import { broadcastTo } from "../../engine/oracle/shape.ts";
import { softmax } from "../../engine/oracle/softmax.ts";
import { type UnaryAttrs, type UnaryFunction, unary } from "../../engine/oracle/unary.ts";
import { sigmaAt } from "../../engine/oracle/updates.ts";
import { forEachTerm, type Upfirdn2dAttrs } from "../../engine/oracle/upfirdn2d.ts";
import type { Pair } from "../../engine/oracle/window.ts";

const { sigmoid } = unary;

/** dy/dx as a function of x. At a kink the derivative of the branch x <= 0, as in PyTorch. */
export const unaryGrad = {
  relu: (x) => (x > 0 ? 1 : 0),
  leakyRelu: (x, { slope = 0.01 } = {}) => (x > 0 ? 1 : slope),
  elu: (x, { alpha = 1 } = {}) => (x > 0 ? 1 : alpha * Math.exp(x)),
  silu: (x) => sigmoid(x) * (1 + x * sigmoid(-x)),
  sigmoid: (x) => sigmoid(x) * sigmoid(-x),
  tanh: (x) => 1 - Math.tanh(x) ** 2,
  softplus: sigmoid,
} satisfies Record<string, UnaryFunction>;

export type UnaryGradName = keyof typeof unaryGrad;

/** x of any shape -> f'(x), same shape; the caller multiplies by dy. */
export function applyUnaryGrad(name: UnaryGradName, x: Array64, attrs: UnaryAttrs = {}): Array64 {
  const f: UnaryFunction = unaryGrad[name];
  return map(x, (value) => f(value, attrs));
}

/** y = softmax(x), dy [..., C] -> dx = y (dy - sum(y dy)). */
export function softmaxGrad(y: Array64, dy: Array64): Array64 {
  const weighted = zip(y, dy, (a, b) => a * b);
  const total = broadcastTo(sum(weighted, [-1], true), y.shape);
  return map(y, (value, flat) => value * (dy.data[flat]! - total.data[flat]!));
}

/** y = logSoftmax(x), dy [..., C] -> dx = dy - exp(y) sum(dy). */
export function logSoftmaxGrad(y: Array64, dy: Array64): Array64 {
  const total = broadcastTo(sum(dy, [-1], true), y.shape);
  return map(dy, (value, flat) => value - Math.exp(y.data[flat]!) * total.data[flat]!);
}

/** Gradient of crossEntropy: (softmax(logits) - onehot(labels)) / N. logits [N,C], labels [N] -> [N,C]. */
export function crossEntropyGrad(logits: Array64, labels: Array64): Array64 {
  const [rows, classes] = logits.shape as [number, number];
  const grad = array64(logits.shape, softmax(logits).data);
  labels.data.forEach((label, n) => {
    grad.data[n * classes + label]! -= 1;
  });
  return map(grad, (value) => value / rows);
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
  const dS = map(softmaxGrad(P, dP), (value) => scale * value); // [B,T,S], of sum_c q[c,i] k[c,j]
  return {
    dq: matmul(k, dS, { transposeB: true }), // sum_j k[c,j] dS_ij
    dk: matmul(q, dS), // sum_i q[c,i] dS_ij
    dv: matmul(dy, P), // sum_i dy[c,i] P_ij
  };
}

/** Adjoint of upfirdn2d in x: dy [N,C,H',W'] -> dx [N,C,...inputSize]. */
export function upfirdn2dGrad(
  dy: Array64,
  kernel: Array64,
  attrs: Upfirdn2dAttrs & { readonly inputSize: Pair },
): Array64 {
  const dx = zeros([dy.shape[0]!, dy.shape[1]!, ...attrs.inputSize]);
  forEachTerm(dy, kernel, dx, attrs, (yAt, kAt, xAt) => {
    dx.data[xAt]! += kernel.data[kAt]! * dy.data[yAt]!;
  });
  return dx;
}

/** Gradient of dsmLoss in the score, same shape. */
export function dsmLossGrad(
  score: Array64,
  z: Array64,
  sigma: Array64,
  { annealPower }: { readonly annealPower: number },
): Array64 {
  return map(score, (s, i) => {
    const std = sigmaAt(sigma, score, i);
    return ((s + z.data[i]! / std) * std ** annealPower) / score.shape[0]!;
  });
}
