import type { Engine } from "../../engine/engine.ts";
import type { ChainStep } from "../../samplers/chain.ts";
import type { FlowStep, Sde } from "../../samplers/index.ts";
import { Progress, progressOf } from "../progress.ts";

/** Tells of a chain's progress, and keeps the host from running far ahead of what is told. */
export function watchChain(engine: Engine, name: string) {
  const update = progressOf(name);
  return async ({ done, total }: ChainStep): Promise<void> => {
    if (done % 4 === 0 || done === total) await engine.sync();
    update(done, total);
  };
}

/** Tells of several walks along the probability flow, one after the other. */
export class FlowWatch {
  readonly #progress: Progress;
  readonly #total: number;
  #walks = 0;

  constructor(name: string, walks: number) {
    this.#total = 100 * walks;
    this.#progress = new Progress(name, this.#total);
  }

  /** What a walk calls after each of its steps, between the times `from` and `to`. */
  walk(from: number, to: number): (step: FlowStep) => void {
    const before = 100 * this.#walks++;
    return ({ t, nfe }) => {
      const percent = Math.round((100 * (t - from)) / (to - from));
      this.#progress.update(
        Math.min(this.#total, before + percent),
        `t ${t.toPrecision(2)}, ${nfe} evaluations`,
      );
    };
  }

  /** From the data to the prior. */
  up = ({ T, samplingEps }: Sde, eps = samplingEps): ((step: FlowStep) => void) => this.walk(eps, T);

  /** From the prior to the data. */
  down = ({ T, samplingEps }: Sde): ((step: FlowStep) => void) => this.walk(T, samplingEps);
}
