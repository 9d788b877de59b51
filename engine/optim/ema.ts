import { UsageError } from "../errors.ts";
import { Scalar } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { exchange, linearUpdate } from "../updates.ts";
import { requireParameters } from "./require.ts";

/** How the average of the weights follows them. */
export interface EmaOptions {
  /** Share of the old average that an update keeps, in the end. */
  limit: number;
  /** decay = min(limit, (1 + n) / (10 + n)) at the n-th update, as score_sde; the limit from the first on, as NCSNv2, if false. */
  warmup: boolean;
}

/** Running average of the weights: shadow -= (1 - decay) (shadow - w). */
export class Ema {
  readonly shadow: Map<string, Tensor>;
  /** 1 - the newest update's decay. */
  readonly gain = new Scalar(1);
  updates = 0;
  readonly #kept = new Scalar(0);
  readonly #options: EmaOptions;

  /** Starts at the parameters' values. Throws UsageError for a limit outside [0, 1), and for parameters as optimizers do. */
  constructor(params: ReadonlyMap<string, Tensor>, options: EmaOptions) {
    const { limit } = options;
    if (!(limit >= 0 && limit < 1))
      throw new UsageError(`Ema: got limit ${limit}, expected a number in [0, 1)`);
    requireParameters("Ema", params);
    this.#options = options;
    this.shadow = new Map([...params].map(([name, t]) => [name, t.engine.copyOf(t)]));
  }

  /** The weights and their averages change places. */
  exchange(params: ReadonlyMap<string, Tensor>): void {
    for (const [name, average] of this.shadow) exchange(params.get(name)!, average);
  }

  /**
   * Moves the averages towards the weights, as optimizers do in their own kernels: after `advance`, captured or not.
   * Throws UsageError where one of the weights is missing.
   */
  apply(params: ReadonlyMap<string, Tensor>): void {
    const missing = [...this.shadow.keys()].find((name) => !params.has(name));
    if (missing !== undefined)
      throw new UsageError(`Ema: got no parameter ${missing}, expected those whose averages it keeps`);
    for (const [name, average] of this.shadow)
      linearUpdate(average, params.get(name)!, { keep: this.#kept, pull: this.gain, noise: 0 }, undefined);
  }

  /** Sets the decay of the next update. */
  advance(): void {
    this.updates++;
    const { limit, warmup } = this.#options;
    const rising = (1 + this.updates) / (10 + this.updates);
    this.#kept.value = warmup ? Math.min(limit, rising) : limit;
    this.gain.value = 1 - this.#kept.value;
  }
}
