import { sgd as kernel, sgdSeveral } from "../../kernels/adam.ts";
import { UsageError } from "../errors.ts";
import { Scalar } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { learningRate, Optimizer, type OptimizerOptions } from "./optimizer.ts";

/** Sgd's number beside those of all optimizers. */
export interface SgdOptions extends OptimizerOptions {
  /** Share of the last step's move that the next keeps, in [0, 1); 0 unless told. */
  momentum?: number;
}

/** Stochastic gradient descent with momentum, as PyTorch computes it. Used like Adam. */
export class Sgd extends Optimizer {
  readonly options: SgdOptions;
  readonly #rate = new Scalar(0);

  /** Throws UsageError for options out of range. */
  constructor(params: ReadonlyMap<string, Tensor>, options: SgdOptions) {
    const { momentum = 0 } = options;
    if (!(momentum >= 0 && momentum < 1))
      throw new UsageError(`Sgd: got momentum ${momentum}, expected a number in [0, 1)`);
    super(params, options, ["m"]);
    this.options = options;
  }

  /** Sets the numbers of the next step. */
  advance(): void {
    this.#rate.value = learningRate(this.options, this.steps);
    this.steps++;
    this.ema?.advance();
  }

  /** Moves the parameters by their gradients, given in their order; `clip` comes from clipGradients. Throws as Optimizer's. */
  apply(grads: readonly Tensor[], clip?: Tensor): void {
    const { momentum = 0, weightDecay = 0 } = this.options;
    this.move({ one: kernel, several: sgdSeveral }, grads, clip, { rate: this.#rate, momentum, weightDecay });
  }
}
