import { type FoldVariant, foldVariant, foldWays } from "../../kernels/folds.ts";
import { softmax as kernel, type SoftmaxVariant, softmaxGrad } from "../../kernels/softmax.ts";
import { type SoftmaxLanes, softmaxByLanes, softmaxLanes } from "../../kernels/softmax-lanes.ts";
import { chosen, type Tunable } from "../choices.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { defineOp } from "../op.ts";
import { logsumexp as oracleLogsumexp } from "../oracle/reduce.ts";
import * as oracle from "../oracle/softmax.ts";
import { showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { mul, sub } from "./binary.ts";
import { oneHot } from "./embedding.ts";
import { mean, reshape, sum } from "./reduce.ts";
import { requireFloat } from "./require.ts";
import { scale } from "./scale.ts";
import { exp } from "./unary.ts";
import { folding, type Table } from "./ways.ts";
import { where } from "./where.ts";

type Out = SoftmaxVariant["out"];
const sides = (x: Tensor) => ({ rows: x.size / x.dim(-1), columns: x.dim(-1) });

/** As `folding`, or by lanes that keep a row. */
const forward: Tunable<Table & { out: Out }, FoldVariant | SoftmaxLanes> = {
  family: "softmax",
  classOf: ({ columns }) => `rows of ${columns}`,
  heuristic: (hw, { columns }) => softmaxLanes(hw, columns)[0] ?? foldVariant(hw, columns),
  ways: (hw, { columns }) => [...foldWays(hw, columns), ...softmaxLanes(hw, columns)],
  run: (engine, [x], { out, rows, columns }, way) => {
    const y = engine.empty(out === "logsumexp" ? x!.shape.slice(0, -1) : x!.shape);
    if ("lanes" in way) engine.launch(softmaxByLanes, { out, ...way }, { x: x!, y }, { rows, columns });
    else engine.launch(kernel, { out, ...way }, { x: x!, y }, { rows, columns });
    return y;
  },
};

const backward = folding<Table & { log: boolean }>(
  "softmax_grad",
  (engine, [y, dy], { log, rows, columns }, way) => {
    const dx = engine.empty(y!.shape);
    engine.launch(softmaxGrad, { log, ...way }, { y: y!, dy: dy!, dx }, { rows, columns });
    return dx;
  },
);

const launch = (engine: Engine, x: Tensor, out: Out): Tensor =>
  chosen(engine, forward, [x], { out, ...sides(x) });
const launchGrad = (engine: Engine, y: Tensor, dy: Tensor, log: boolean): Tensor =>
  chosen(engine, backward, [y, dy], { log, ...sides(y) });

const softmaxOp = defineOp<object>({
  name: "softmax",
  forward: (engine, [x]) => launch(engine, x!, "softmax"),
  vjp: ({ y, dy }) => [mul(y!, sub(dy, sum(mul(dy, y!), { axis: -1, keepDims: true })))],
  fusedVjp: ({ engine, y, dy }) => [launchGrad(engine, y!, dy, false)],
  saves: { output: true },
  oracle: ([x]) => oracle.softmax(x!),
});

const logSoftmaxOp = defineOp<object>({
  name: "log_softmax",
  forward: (engine, [x]) => launch(engine, x!, "logSoftmax"),
  vjp: ({ y, dy }) => [sub(dy, mul(exp(y!), sum(dy, { axis: -1, keepDims: true })))],
  fusedVjp: ({ engine, y, dy }) => [launchGrad(engine, y!, dy, true)],
  saves: { output: true },
  oracle: ([x]) => oracle.logSoftmax(x!),
});

const logsumexpOp = defineOp<object>({
  name: "logsumexp",
  forward: (engine, [x]) => launch(engine, x!, "logsumexp"),
  vjp: ({ inputs: [x], y, dy }) => {
    const wide = [...y!.shape, 1];
    return [mul(reshape(dy, wide), exp(sub(x!, reshape(y!, wide))))];
  },
  saves: { inputs: [0], output: true },
  oracle: ([x]) => oracleLogsumexp(x!, [x!.shape.length - 1]),
});

function requireRows(who: string, x: Tensor): Tensor {
  requireFloat(who, x);
  if (x.rank < 1) throw new UsageError(`${who}: got a scalar, expected at least one axis`);
  return x;
}

/** Softmax over the last axis: rows sum to 1. Throws UsageError on a scalar. */
export const softmax = (x: Tensor): Tensor => softmaxOp(x.engine, [requireRows("softmax", x)], {});
/** Logarithm of softmax over the last axis. Throws UsageError on a scalar. */
export const logSoftmax = (x: Tensor): Tensor => logSoftmaxOp(x.engine, [requireRows("logSoftmax", x)], {});
/** log sum exp over the last axis: [..., c] -> [...]. Throws UsageError on a scalar. */
export const logsumexp = (x: Tensor): Tensor => logsumexpOp(x.engine, [requireRows("logsumexp", x)], {});

/** Mean cross-entropy in nats of logits [n, c] with labels [n] (i32) -> scalar []; NaN for a label that is no class. Throws UsageError for other shapes. */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  if (logits.rank !== 2 || labels.rank !== 1 || labels.dtype !== "i32" || labels.dim(0) !== logits.dim(0))
    throw new UsageError(
      `crossEntropy: got logits ${showShape(logits.shape)}, labels ${labels.dtype} ${showShape(labels.shape)}, expected [n,c] and i32 [n]`,
    );
  const hot = oneHot(labels, logits.dim(1));
  // Classes that are ruled out count for nothing, and a label that is none of the classes for NaN.
  const picked = mul(hot, where(hot, logSoftmax(logits), 0));
  return scale(mean(sum(picked, { axis: 1 })), -1);
}
