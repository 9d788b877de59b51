import { samplesAtOnce } from "../../kernels/attention-ways.ts";
import {
  type AttentionWeightsVariant,
  attentionSlopes,
  attentionWeights,
} from "../../kernels/attention-weights.ts";
import { runVariant } from "../../kernels/runs.ts";
import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { multiplyInto } from "./matmul.ts";
import { inTurns } from "./turns.ts";

/*
 * Attention by matrix products, its weights in memory while an op runs. Every product sums over what both its operands
 * hold line by line, as far as that goes: the register kernels then need no packed copy of t x s numbers.
 *
 *   forward    W = softmax of k^T q down its columns [s, t],  y = v W
 *   backward   P = exp(scale q^T k - lse) and G = dy^T v [t, s],  D = scale P (G - delta)
 *              dv = dy P,  dk = q D,  dq = k D^T
 */

/** y [n,c,t] and lse [n,t] of q [n,c,t], k and v [n,c,s]. */
export function attendByProducts(
  engine: Engine,
  inputs: readonly [q: Tensor, k: Tensor, v: Tensor],
  outputs: readonly [y: Tensor, lse: Tensor],
  { scale, ...variant }: { scale: number } & AttentionWeightsVariant,
): void {
  weighed(engine, inputs, outputs, ([q, k, v], [y, lse]) => {
    const [batch, t, s] = [q!.dim(0), q!.dim(2), k!.dim(2)];
    const weights = engine.empty([batch, s, t]);
    multiplyInto(weights, k!, q!, { transposeA: true });
    engine.launch(attentionWeights, variant, { x: weights, lse: lse! }, { batch, t, s, scale });
    multiplyInto(y!, v!, weights);
  });
}

/** Gradients dq, dk and dv, those that are wanted, with delta [n,t] = dy_i . y_i. */
export function attendBackByProducts(
  engine: Engine,
  inputs: readonly [q: Tensor, k: Tensor, v: Tensor, dy: Tensor, lse: Tensor, delta: Tensor],
  gradients: readonly [dq: Tensor, dk: Tensor, dv: Tensor],
  { scale, wants }: { scale: number; wants: readonly boolean[] },
): void {
  weighed(engine, inputs, gradients, ([q, k, v, dy, lse, delta], [dq, dk, dv]) => {
    const [batch, t, s] = [q!.dim(0), q!.dim(2), k!.dim(2)];
    const [weights, slopes] = [engine.empty([batch, t, s]), engine.empty([batch, t, s])];
    multiplyInto(weights, q!, k!, { transposeA: true });
    multiplyInto(slopes, dy!, v!, { transposeA: true });
    engine.launch(
      attentionSlopes,
      runVariant(engine.hardware, s),
      { x: weights, g: slopes, lse: lse!, delta: delta! },
      { rows: batch * t, columns: s, scale },
    );
    if (wants[2]) multiplyInto(dv!, dy!, weights);
    if (wants[1]) multiplyInto(dk!, q!, slopes);
    if (wants[0]) multiplyInto(dq!, k!, slopes, { transposeB: true });
  });
}

/** Runs `run` for as many samples at once as their weights may take memory; what it allocates is f32. */
function weighed(
  engine: Engine,
  inputs: readonly [q: Tensor, k: Tensor, ...others: Tensor[]],
  outputs: readonly Tensor[],
  run: (inputs: Inputs, outputs: readonly Tensor[]) => void,
): void {
  const [q, k] = inputs;
  const atOnce = samplesAtOnce(engine.hardware, { t: q.dim(2), s: k.dim(2) });
  const turns = () => inTurns(engine, { samples: q.dim(0), atOnce }, inputs, outputs, run);
  engine.autocast(() => engine.forward(turns), false);
}
