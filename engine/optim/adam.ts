import { adamSeveral, adam as kernel } from "../../kernels/adam.ts";
import { UsageError } from "../errors.ts";
import { Scalar } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { learningRate, Optimizer, type OptimizerOptions } from "./optimizer.ts";

/** Adam's numbers beside those of all optimizers. */
export interface AdamOptions extends OptimizerOptions {
  /** Share of the old mean of the gradient that a step keeps, in [0, 1); 0.9 unless told. */
  beta1?: number;
  /** The same of the mean of its square; 0.999 unless told. */
  beta2?: number;
  /** Added to the root of that mean, above 0; 1e-8 unless told. */
  eps?: number;
}

type Average = "emaDecay" | "emaWarmup";

/**
 * Adam with, in the same kernel, the running average of the weights. Call `advance` before each step, captured or
 * not, then `apply`: a captured `apply` reads the step's numbers anew. Kingma & Ba 2015, as PyTorch computes it.
 */
export class Adam extends Optimizer {
  readonly options: Required<Omit<AdamOptions, Average>> & Pick<AdamOptions, Average>;
  readonly #rate = new Scalar(0);
  readonly #rootScale = new Scalar(1);

  /** Throws UsageError for options out of range. */
  constructor(params: ReadonlyMap<string, Tensor>, options: AdamOptions) {
    super(params, requireBetas(options), ["m", "v"]);
    this.options = { ...defaults, ...options };
  }

  /** Sets the numbers of the next step: learning rate, bias corrections, EMA decay. */
  advance(): void {
    const { beta1, beta2 } = this.options;
    const lr = learningRate(this.options, this.steps);
    this.steps++;
    this.#rate.value = lr / (1 - beta1 ** this.steps);
    this.#rootScale.value = 1 / Math.sqrt(1 - beta2 ** this.steps);
    this.ema?.advance();
  }

  /** Moves the parameters by their gradients, given in their order; `clip` comes from clipGradients. Throws as Optimizer's. */
  apply(grads: readonly Tensor[], clip?: Tensor): void {
    const { beta1, beta2, eps, weightDecay } = this.options;
    this.move({ one: kernel, several: adamSeveral }, grads, clip, {
      rate: this.#rate,
      rootScale: this.#rootScale,
      beta1,
      beta2,
      gain1: 1 - beta1,
      gain2: 1 - beta2,
      eps,
      weightDecay,
    });
  }
}

const defaults = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, warmup: 0 };

function requireBetas(options: AdamOptions): AdamOptions {
  const { beta1, beta2, eps } = { ...defaults, ...options };
  if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && eps > 0))
    throw new UsageError(
      `Adam: got beta1 ${beta1}, beta2 ${beta2}, eps ${eps}, expected betas in [0, 1) and eps > 0`,
    );
  return options;
}
