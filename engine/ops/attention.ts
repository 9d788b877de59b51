import {
  type AttentionVariant,
  attentionDelta,
  attentionGradKey,
  attentionGradQuery,
  attention as kernel,
} from "../../kernels/attention.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { defineOp, type Inputs } from "../op.ts";
import * as oracle from "../oracle/attention.ts";
import { showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { matmul } from "./matmul.ts";
import { throughComposite } from "./norm.ts";
import { requireFloat } from "./require.ts";
import { scale } from "./scale.ts";
import { softmax } from "./softmax.ts";

interface Attrs {
  readonly scale: number;
}

const sizes = ([q, k]: Inputs) => ({ batch: q!.dim(0), channels: q!.dim(1), t: q!.dim(2), s: k!.dim(2) });

const variantFor = (engine: Engine, channels: number): AttentionVariant => ({
  channels,
  unroll: engine.hardware.kind === "gpu",
});

const op = defineOp<Attrs>({
  name: "attention",
  forward: (engine, inputs, attrs) => {
    const [q, k, v] = inputs;
    const y = engine.empty(q!.shape);
    const lse = engine.empty([q!.dim(0), q!.dim(2)]);
    engine.launch(
      kernel,
      variantFor(engine, q!.dim(1)),
      { q: q!, k: k!, v: v!, y, lse },
      { ...sizes(inputs), scale: attrs.scale },
    );
    return { y, extras: [lse] };
  },
  vjp: (c) => throughComposite(c, composite),
  fusedVjp: ({ engine, inputs, y, dy, attrs, extras, wants }) => {
    const [q, k, v] = inputs;
    const lse = extras[0]!;
    const { batch, channels, t, s } = sizes(inputs);
    const variant = variantFor(engine, channels);
    const delta = engine.empty([batch, t]);
    engine.launch(attentionDelta, {}, { y: y!, dy, delta }, { batch, channels, t });
    const shared = { q: q!, k: k!, v: v!, dy, lse, delta };
    const params = { batch, channels, t, s, scale: attrs.scale };
    const [dq, dk, dv] = [q!, k!, v!].map((x) => engine.empty(x.shape)) as [Tensor, Tensor, Tensor];
    if (wants[0]) engine.launch(attentionGradQuery, variant, { ...shared, dq }, params);
    if (wants[1] || wants[2]) engine.launch(attentionGradKey, variant, { ...shared, dk, dv }, params);
    return [dq, dk, dv];
  },
  saves: { inputs: [0, 1, 2], output: true },
  oracle: ([q, k, v], attrs) => oracle.attention(q!, k!, v!, attrs.scale),
});

/** The same with the weights in memory, for derivatives of derivatives. */
const composite = ([q, k, v]: Inputs, attrs: Attrs): Tensor =>
  matmul(v!, softmax(scale(matmul(q!, k!, { transposeA: true }), attrs.scale)), { transposeB: true });

/**
 * Attention over positions: q [n,c,t], k and v [n,c,s] -> [n,c,t], out_i = sum_j softmax_j(scale q_i . k_j) v_j.
 * Nothing of size t x s is stored. scale is 1/sqrt(c) unless given. Throws UsageError for other shapes.
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
  return op(q.engine, [q, k, v], { scale: options.scale ?? 1 / Math.sqrt(q.dim(1)) });
}
