import { Scalar } from "../scalar.ts";
import type { Tensor } from "../tensor.ts";
import { exchange } from "../updates.ts";

/** Running average of the weights: shadow -= (1 - decay) (shadow - w), decay = min(emaDecay, (1 + n) / (10 + n)) as score_sde. */
export class Ema {
  readonly shadow: Map<string, Tensor>;
  /** The newest update's decay. */
  readonly decay = new Scalar(0);
  updates = 0;
  readonly #limit: number;

  /** Starts at the parameters' values. */
  constructor(params: ReadonlyMap<string, Tensor>, limit: number) {
    this.#limit = limit;
    this.shadow = new Map([...params].map(([name, t]) => [name, copyOf(t)]));
  }

  /** The weights and their averages change places. */
  exchange(params: ReadonlyMap<string, Tensor>): void {
    for (const [name, average] of this.shadow) exchange(params.get(name)!, average);
  }

  advance(): void {
    this.updates++;
    this.decay.value = Math.min(this.#limit, (1 + this.updates) / (10 + this.updates));
  }
}

function copyOf(t: Tensor): Tensor {
  const { engine } = t;
  const copy = engine.empty(t.shape);
  engine.copy(t, copy);
  return engine.untrack(copy);
}
