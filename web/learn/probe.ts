import type { Capture } from "../../engine/capture.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ScoreFunction } from "../../samplers/index.ts";

/** A score looked at again and again at the same points [n,2], at one label at a time. */
export class Probe {
  readonly #points: Tensor;
  readonly #labels: Tensor;
  readonly #capture: Capture<Tensor>;

  constructor(engine: Engine, score: ScoreFunction, points: Float32Array<ArrayBuffer>) {
    const n = points.length / 2;
    this.#points = engine.untrack(engine.tensor(points, [n, 2]));
    this.#labels = engine.untrack(engine.zeros([n], "i32"));
    this.#capture = engine.capture(() => engine.noGrad(() => score(this.#points, this.#labels)));
  }

  set label(label: number) {
    this.#labels.write(new Int32Array(this.#labels.size).fill(label));
  }

  /** Asks for the score as it is now; its tensor [n,2] is to be read, not kept. */
  look(): Tensor {
    this.#capture.replay();
    return this.#capture.result;
  }

  dispose(): void {
    this.#capture.dispose();
    this.#points.dispose();
    this.#labels.dispose();
  }
}
