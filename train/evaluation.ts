import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import type { Tensor } from "../engine/tensor.ts";
import { asPredictor, type Output } from "../models/prediction.ts";
import type { TrainerOptions } from "./trainer.ts";

export interface EvaluationOptions<P extends Output = "score" | "eps">
  extends Pick<
    TrainerOptions<P>,
    "network" | "objective" | "shape" | "batches" | "fill" | "seed" | "precision"
  > {
  /** Batches to measure. */
  count: number;
}

/**
 * The loss of a network on the same images with the same noise every time, without dropout: what falls is what was
 * learnt, not luck. Batch i takes the place of training's step i.
 */
export class Evaluation<P extends Output = "score" | "eps"> {
  readonly #engine: Engine;
  readonly #options: EvaluationOptions<P>;

  /** Throws UsageError for batches in parts, or of other images than the shape says, and for no batch. */
  constructor(engine: Engine, options: EvaluationOptions<P>) {
    const { batches, shape, count } = options;
    if (batches.parts !== 1)
      throw new UsageError(
        `Evaluation: got batches of ${batches.parts} parts, expected whole ones; make them smaller`,
      );
    batches.requireOf("Evaluation", shape);
    if (!Number.isSafeInteger(count) || count < 1)
      throw new UsageError(`Evaluation: got count ${count}, expected a whole number of batches from 1`);
    this.#engine = engine;
    this.#options = options;
  }

  /** Mean loss over the images. What it needs of the device's memory is given back. */
  async loss(): Promise<number> {
    const { network, count, shape, batches, fill, seed, precision } = this.#options;
    const engine = this.#engine;
    const x = engine.untrack(engine.empty(shape));
    const objective = this.#options.objective();
    const host = new Float32Array(x.size);
    const predict = asPredictor(network);
    const stored = (noisy: Tensor, condition: Tensor) =>
      engine.autocast(() => predict(noisy, condition), precision === "mixed");
    const denoiser = Object.assign(stored, { predicts: network.predicts });
    const losses: Tensor[] = [];
    try {
      for (let step = 0; step < count; step++) {
        fill(batches.images(step), host, step);
        x.write(host);
        objective.feed?.(step, 0);
        const measure = () => objective.loss(denoiser, x, { seed, step });
        const loss = engine.scope(() =>
          objective.differentiates ? measure().detach() : engine.noGrad(measure),
        );
        losses.push(engine.untrack(loss));
      }
      const values = await engine.readAll(losses);
      return values.reduce((sum, [loss]) => sum + loss!, 0) / count;
    } finally {
      for (const t of [x, ...losses]) t.dispose();
      objective.dispose?.();
      engine.trim();
    }
  }
}
