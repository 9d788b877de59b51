import type { Component } from "../../data/mixture.ts";
import type { Engine } from "../../engine/engine.ts";
import {
  add,
  div,
  embedding,
  log,
  mul,
  neg,
  reshape,
  softmax,
  square,
  sub,
  sum,
} from "../../engine/ops/index.ts";
import { asScore, type ScoreFunction } from "../../samplers/index.ts";

export interface ExactScore extends Disposable {
  readonly score: ScoreFunction;
}

/**
 * The score of a mixture of round Gaussians on the plane, blurred by the noise scale that each label names, written in
 * ops so that samplers can run on it: x [n, 2], labels [n] (i32) -> [n, 2].
 */
export function exactScore(
  engine: Engine,
  components: readonly Component[],
  sigmas: readonly number[],
): ExactScore {
  const k = components.length;
  const keep = (values: number[], shape: number[]) => engine.untrack(engine.tensor(values, shape));
  const logWeights = keep(
    components.map((c) => Math.log(c.weight)),
    [1, k],
  );
  const own = keep(
    components.map((c) => c.sigma ** 2),
    [1, k],
  );
  const centres = keep(
    components.flatMap((c) => [...c.mean]),
    [1, k, 2],
  );
  const added = keep(
    sigmas.map((sigma) => sigma ** 2),
    [sigmas.length, 1],
  );
  const score = asScore((x, labels) => {
    const n = x.dim(0);
    const variance = add(own, reshape(embedding(added, labels), [n, 1])); // [n,k]
    const away = sub(reshape(x, [n, 1, 2]), centres); // [n,k,2]
    const exponent = div(sum(square(away), { axis: -1 }), mul(variance, 2));
    const shares = softmax(sub(sub(logWeights, log(variance)), exponent)); // of the components in p, [n,k]
    return neg(sum(mul(away, reshape(div(shares, variance), [n, k, 1])), { axis: 1 }));
  });
  return {
    score,
    [Symbol.dispose]() {
      for (const t of [logWeights, own, centres, added]) t.dispose();
    },
  };
}
