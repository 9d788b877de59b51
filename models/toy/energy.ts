import { grad } from "../../engine/autograd.ts";
import { neg, reshape, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import type { Network } from "../prediction.ts";
import { Mlp, type ToyScoreOptions } from "./mlp.ts";

/**
 * A density p(x) ~ exp(-E(x)) of points [n,d], known by its energy: what Metropolis-adjusted samplers need. `run` gives
 * the score -dE/dx [n,d], which is a gradient field, as the output of a score network need not be. Softplus keeps E
 * smooth, so that the score can be trained by score matching: the loss's gradient is a second derivative of E.
 */
export class ToyEnergy extends Module<[x: Tensor], Tensor> implements Network<"score"> {
  readonly predicts = "score" as const;
  readonly mlp: Mlp;

  constructor(init: Init, { dimensions = 2, hidden = 128 }: ToyScoreOptions = {}) {
    super();
    this.mlp = new Mlp(init, [dimensions, hidden, hidden, 1]);
    this.nameParts();
  }

  /** x [n,d] -> E(x) [n]. */
  energy(x: Tensor): Tensor {
    return reshape(this.mlp.run(x), [-1]);
  }

  forward(x: Tensor): Tensor {
    const { engine } = x;
    const createGraph = engine.recording;
    const at = createGraph && x.requiresGrad ? x : engine.track(engine.asVariable(x.detach()));
    const [dx] = engine.withGrad(() => grad(sum(this.energy(at)), [at], { createGraph })); // each sample's E sees its own x only
    return neg(dx!);
  }
}
