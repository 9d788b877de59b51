import type { Engine } from "../engine.ts";
import { Scalar } from "../scalar.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { accumulate } from "../updates.ts";

/**
 * Means over a batch whose parts go through the network one after the other: gradients and whatever else is a mean
 * over a part. Call `part` before each part, captured or not, then `add`: a captured `add` reads anew which part it is.
 */
export class GradientSum {
  /** One for each shape given. */
  readonly means: readonly Tensor[];
  readonly #share: number;
  readonly #begin = new Scalar(1);

  constructor(engine: Engine, shapes: readonly Shape[], parts: number) {
    this.means = shapes.map((shape) => engine.untrack(engine.zeros(shape)));
    this.#share = 1 / parts;
  }

  /** Tells which part comes next, counted from 0. */
  part(index: number): void {
    this.#begin.value = index === 0 ? 1 : 0;
  }

  /** Adds a part's values, in the order of the shapes. */
  add(values: readonly Tensor[]): void {
    for (const [i, mean] of this.means.entries())
      accumulate(mean, values[i]!, { share: this.#share, begin: this.#begin });
  }

  dispose(): void {
    for (const t of this.means) t.dispose();
  }
}
