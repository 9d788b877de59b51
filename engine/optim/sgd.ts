import { sgd as kernel } from "../../kernels/adam.ts";
import { vecsPerThread } from "../../kernels/lanewise.ts";

import { UsageError } from "../errors.ts";
import { Scalar } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { zerosLike } from "./adam.ts";
import { Ema } from "./ema.ts";
import { learningRate, type OptimizerOptions, type OptimizerState, requireOptions } from "./optimizer.ts";

export interface SgdOptions extends OptimizerOptions {
  momentum?: number;
}

/** Stochastic gradient descent with momentum, as PyTorch computes it. Used like Adam. */
export class Sgd {
  readonly params: ReadonlyMap<string, Tensor>;
  readonly ema: Ema | undefined;
  readonly options: SgdOptions;
  steps = 0;
  readonly #m: Map<string, Tensor>;
  readonly #rate = new Scalar(0);

  /** Throws UsageError for options out of range. */
  constructor(params: ReadonlyMap<string, Tensor>, options: SgdOptions) {
    const { momentum = 0, emaDecay } = options;
    requireOptions("Sgd", options);
    if (!(momentum >= 0 && momentum < 1))
      throw new UsageError(`Sgd: got momentum ${momentum}, expected a number in [0, 1)`);
    this.options = options;
    this.params = params;
    this.#m = zerosLike(params);
    this.ema = emaDecay === undefined ? undefined : new Ema(params, emaDecay);
  }

  /** Sets the numbers of the next step. */
  advance(): void {
    this.#rate.value = learningRate(this.options, this.steps);
    this.steps++;
    this.ema?.advance();
  }

  /** Moves the parameters by their gradients, given in their order; `clip` comes from clipGradients. */
  apply(grads: readonly Tensor[], clip?: Tensor): void {
    const { momentum = 0, weightDecay = 0 } = this.options;
    let i = 0;
    for (const [name, param] of this.params) {
      const { engine } = param;
      const ema = this.ema?.shadow.get(name);
      engine.launchLinear(
        kernel,
        { ema: ema !== undefined, clip: clip !== undefined, vecs: vecsPerThread(engine.hardware) },
        { grad: grads[i++]!, param, m: this.#m.get(name)!, ema: ema ?? param, clip: clip ?? param },
        { rate: this.#rate, momentum, weightDecay, emaDecay: this.ema?.decay ?? 0 },
        param.size,
      );
    }
  }

  /** Tensors to save, by name. */
  tensors(): Map<string, Tensor> {
    const all = new Map<string, Tensor>();
    for (const [name, t] of this.#m) all.set(`m.${name}`, t);
    for (const [name, t] of this.ema?.shadow ?? []) all.set(`ema.${name}`, t);
    return all;
  }

  get state(): OptimizerState {
    return { steps: this.steps, emaUpdates: this.ema?.updates ?? 0 };
  }

  set state({ steps, emaUpdates }: OptimizerState) {
    this.steps = steps;
    if (this.ema) this.ema.updates = emaUpdates;
  }

  dispose(): void {
    for (const t of this.tensors().values()) t.dispose();
  }
}
