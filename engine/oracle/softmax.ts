import { type Array64, array64, map, scalar, zip } from "./array.ts";
import { logsumexp, sum } from "./reduce.ts";
import { broadcastTo } from "./shape.ts";

/** log softmax over the last axis: x - logsumexp(x). x [..., C] -> [..., C]. */
export function logSoftmax(x: Array64): Array64 {
  const total = broadcastTo(logsumexp(x, [-1], true), x.shape);
  return zip(x, total, (value, shift) => value - shift);
}

/** Softmax over the last axis. x [..., C] -> [..., C], rows sum to 1. */
export function softmax(x: Array64): Array64 {
  return map(logSoftmax(x), Math.exp);
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

/** Mean over n of -log softmax(logits[n])[labels[n]]. logits [N,C], labels [N] -> []. */
export function crossEntropy(logits: Array64, labels: Array64): Array64 {
  const [rows, classes] = logits.shape as [number, number];
  const logP = logSoftmax(logits);
  let total = 0;
  labels.data.forEach((label, n) => {
    total -= logP.data[n * classes + label]!;
  });
  return scalar(total / rows);
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
