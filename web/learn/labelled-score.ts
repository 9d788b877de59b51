import type { Engine } from "../../engine/engine.ts";
import { embedding, reshape } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init, ToyNoiseScore, ToyScore } from "../../models/index.ts";
import { asScore, type ScoreFunction } from "../../samplers/index.ts";

/** A small network on the plane that is told which noise scale a point has by its label: x [n,2], labels [n] (i32). */
export class LabelledScore {
  readonly parameters: ReadonlyMap<string, Tensor>;
  readonly score: ScoreFunction;
  /** Noise scales by label, [count,1]. */
  readonly sigmas: Tensor;
  readonly #network: ToyScore | ToyNoiseScore;

  constructor(engine: Engine, sigmas: readonly number[], { hidden, seed }: { hidden: number; seed: number }) {
    this.sigmas = engine.untrack(engine.tensor(sigmas, [sigmas.length, 1]));
    const init = new Init(engine, seed);
    if (sigmas.length === 1) {
      const network = new ToyScore(init, { hidden });
      this.score = asScore((x) => network.run(x));
      this.#network = network;
    } else {
      const network = new ToyNoiseScore(init, { hidden });
      this.score = asScore((x, labels) => network.run(x, reshape(embedding(this.sigmas, labels), [-1])));
      this.#network = network;
    }
    this.parameters = this.#network.parameters();
  }

  dispose(): void {
    this.#network.dispose();
    this.sigmas.dispose();
  }
}
