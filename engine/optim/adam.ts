import { adam as kernel } from "../../kernels/adam.ts";
import { vecsPerThread } from "../../kernels/lanewise.ts";

import { UsageError } from "../errors.ts";
import { Scalar } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { Ema } from "./ema.ts";
import { learningRate, type OptimizerOptions, type OptimizerState, requireOptions } from "./optimizer.ts";

export interface AdamOptions extends OptimizerOptions {
  beta1?: number;
  beta2?: number;
  eps?: number;
}

/**
 * Adam with, in the same kernel, the running average of the weights. Call `advance` before each step, captured or
 * not, then `apply`: a captured `apply` reads the step's numbers anew. Kingma & Ba 2015, as PyTorch computes it.
 */
export class Adam {
  readonly params: ReadonlyMap<string, Tensor>;
  readonly ema: Ema | undefined;
  readonly options: Required<Omit<AdamOptions, "emaDecay">> & Pick<AdamOptions, "emaDecay">;
  /** Steps taken. */
  steps = 0;
  readonly #m: Map<string, Tensor>;
  readonly #v: Map<string, Tensor>;
  readonly #rate = new Scalar(0);
  readonly #rootScale = new Scalar(1);

  /** Throws UsageError for options out of range. */
  constructor(params: ReadonlyMap<string, Tensor>, options: AdamOptions) {
    this.options = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, warmup: 0, ...options };
    requireOptions("Adam", this.options);
    const { beta1, beta2, eps, emaDecay } = this.options;
    if (!(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1 && eps > 0))
      throw new UsageError(
        `Adam: got beta1 ${beta1}, beta2 ${beta2}, eps ${eps}, expected betas in [0, 1) and eps > 0`,
      );
    this.params = params;
    this.#m = zerosLike(params);
    this.#v = zerosLike(params);
    this.ema = emaDecay === undefined ? undefined : new Ema(params, emaDecay);
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

  /** Moves the parameters by their gradients, given in their order; `clip` comes from clipGradients. */
  apply(grads: readonly Tensor[], clip?: Tensor): void {
    const { beta1, beta2, eps, weightDecay } = this.options;
    let i = 0;
    for (const [name, param] of this.params) {
      const { engine } = param;
      const ema = this.ema?.shadow.get(name);
      engine.launchLinear(
        kernel,
        { ema: ema !== undefined, clip: clip !== undefined, vecs: vecsPerThread(engine.hardware) },
        {
          grad: grads[i++]!,
          param,
          m: this.#m.get(name)!,
          v: this.#v.get(name)!,
          ema: ema ?? param,
          clip: clip ?? param,
        },
        {
          rate: this.#rate,
          rootScale: this.#rootScale,
          beta1,
          beta2,
          eps,
          weightDecay,
          emaDecay: this.ema?.decay ?? 0,
        },
        param.size,
      );
    }
  }

  /** Tensors to save, by name: m.NAME, v.NAME and ema.NAME. */
  tensors(): Map<string, Tensor> {
    const all = new Map<string, Tensor>();
    for (const [name, t] of this.#m) all.set(`m.${name}`, t);
    for (const [name, t] of this.#v) all.set(`v.${name}`, t);
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

export function zerosLike(params: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  return new Map([...params].map(([name, t]) => [name, t.engine.untrack(t.engine.zeros(t.shape))]));
}
