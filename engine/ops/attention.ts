import {
  type AttentionVariant,
  attentionDelta,
  attentionGradKey,
  attentionGradQuery,
  attention as kernel,
} from "../../kernels/attention.ts";
import {
  type AttentionGradWay,
  type AttentionWay,
  attentionGradWay,
  attentionGradWays,
  attentionWay,
  attentionWays,
} from "../../kernels/attention-ways.ts";
import type { Tunable } from "../choices.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { defineOp, type Inputs } from "../op.ts";
import * as oracle from "../oracle/attention.ts";
import { showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { attendBackByProducts, attendByProducts } from "./attention-products.ts";
import { matmul } from "./matmul.ts";
import { throughComposite } from "./norm.ts";
import { requireFloat } from "./require.ts";
import { scale } from "./scale.ts";
import { softmax } from "./softmax.ts";

interface Attrs {
  readonly scale: number;
}

/** Sizes of q [batch, channels, t] and k [batch, channels, s]. */
interface Problem extends Attrs {
  readonly batch: number;
  readonly channels: number;
  readonly t: number;
  readonly s: number;
}

function problemOf([q, k]: Inputs, { scale }: Attrs): Problem {
  return { batch: q!.dim(0), channels: q!.dim(1), t: q!.dim(2), s: k!.dim(2), scale };
}

/** Without the batch: a sample's numbers may not depend on those beside it. */
const classOf = ({ channels, t, s }: Problem): string => `${channels} channels ${t}x${s}`;

const flashVariant = (engine: Engine, channels: number): AttentionVariant => ({
  channels,
  unroll: engine.hardware.kind === "gpu",
});

/** y, and lse [n,t]: the logarithm of what a query's weights were divided by. */
function attend(engine: Engine, inputs: Inputs, problem: Problem, way: AttentionWay) {
  const [q, k, v] = inputs as [Tensor, Tensor, Tensor];
  const { batch, channels, t, s, scale } = problem;
  const y = engine.empty(q.shape);
  const lse = engine.empty([batch, t]);
  engine.standingFor(4 * batch * channels * t * s, () => {
    if (way.kernel === "products") {
      const { kernel: _, ...variant } = way;
      attendByProducts(engine, [q, k, v], [y, lse], { scale, ...variant });
    } else engine.launch(kernel, flashVariant(engine, channels), { q, k, v, y, lse }, problem);
  });
  return { y, lse };
}

const forward: Tunable<Problem, AttentionWay> = {
  family: "attention",
  classOf,
  heuristic: attentionWay,
  ways: attentionWays,
  run: (engine, inputs, problem, way) => attend(engine, inputs, problem, way).y,
};

type Gradients = [dq: Tensor, dk: Tensor, dv: Tensor];

/** Gradients of q, k and v, in place of those not wanted anything; inputs are q, k, v, y, dy and lse. */
function attendBack(
  engine: Engine,
  inputs: Inputs,
  problem: Problem & { wants: readonly boolean[] },
  way: AttentionGradWay,
): Gradients {
  const [q, k, v, y, dy, lse] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor, Tensor];
  const { wants, ...params } = problem;
  const { batch, channels, t, s, scale } = params;
  const delta = engine.empty([batch, t]);
  const [dq, dk, dv] = [q, k, v].map((x) => engine.empty(x.shape)) as Gradients;
  engine.standingFor(2 * batch * channels * t * (5 * s + 1), () => {
    engine.launch(attentionDelta, {}, { y, dy, delta }, { batch, channels, t });
    if (way.kernel === "products") {
      attendBackByProducts(engine, [q, k, v, dy, lse, delta], [dq, dk, dv], { scale, wants });
      return;
    }
    const shared = { q, k, v, dy, lse, delta };
    const variant = flashVariant(engine, channels);
    if (wants[0]) engine.launch(attentionGradQuery, variant, { ...shared, dq }, params);
    if (wants[1] || wants[2]) engine.launch(attentionGradKey, variant, { ...shared, dk, dv }, params);
  });
  return [dq, dk, dv];
}

const backward: Tunable<Problem & { wants: readonly boolean[] }, AttentionGradWay> = {
  family: "attention_grad",
  classOf: (problem) =>
    `${classOf(problem)} in ${["q", "k", "v"].filter((_, i) => problem.wants[i]).join("")}`,
  heuristic: attentionGradWay,
  ways: attentionGradWays,
  run: (engine, inputs, problem, way) =>
    attendBack(engine, inputs, problem, way)[problem.wants.indexOf(true)]!,
};

const op = defineOp<Attrs>({
  name: "attention",
  forward: (engine, inputs, attrs) => {
    const problem = problemOf(inputs, attrs);
    const { y, lse } = attend(engine, inputs, problem, engine.choose(forward, problem, inputs));
    return { y, extras: [lse] };
  },
  vjp: (c) => throughComposite(c, composite),
  fusedVjp: ({ engine, inputs: [q, k, v], y, dy, attrs, extras: [lse], wants }) => {
    const inputs = [q, k, v, y, dy, lse];
    const problem = { ...problemOf(inputs, attrs), wants };
    return attendBack(engine, inputs, problem, engine.choose(backward, problem, inputs));
  },
  saves: { inputs: [0, 1, 2], output: true },
  oracle: ([q, k, v], attrs) => oracle.attention(q!, k!, v!, attrs.scale),
});

/** The same with the weights in memory, for derivatives of derivatives. */
const composite = ([q, k, v]: Inputs, attrs: Attrs): Tensor =>
  matmul(v!, softmax(scale(matmul(q!, k!, { transposeA: true }), attrs.scale)), { transposeB: true });

/**
 * Attention over positions: q [n,c,t], k and v [n,c,s] -> [n,c,t], out_i = sum_j softmax_j(scale q_i . k_j) v_j.
 * Nothing of size t x s is kept for the derivative. scale is 1/sqrt(c) unless given. Throws UsageError for other shapes.
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: { scale?: number } = {}): Tensor {
  for (const x of [q, k, v]) requireFloat("attention", x);
  const fits =
    [q, k, v].every((x) => x.rank === 3 && x.dim(0) === q.dim(0) && x.dim(1) === q.dim(1)) &&
    k.dim(2) === v.dim(2);
  if (!fits)
    throw new UsageError(
      `attention: got ${[q, k, v].map((x) => showShape(x.shape)).join(", ")}, expected q [n,c,t], k and v [n,c,s]`,
    );
  const { scale = 1 / Math.sqrt(q.dim(1)) } = options;
  if (!Number.isFinite(scale))
    throw new UsageError(`attention: got scale ${scale}, expected a finite number`);
  return op(q.engine, [q, k, v], { scale });
}
