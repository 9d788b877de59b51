import { type Array64, map, scalar, zip } from "./array.ts";
import { logsumexp } from "./reduce.ts";
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
