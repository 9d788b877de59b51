import type { Capture } from "../../engine/capture.ts";
import { scale } from "../../engine/ops/index.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Tensor } from "../../engine/tensor.ts";

/**
 * A function of samples [n,...] and what a network is told of their time, f32 [n]: recorded at its first call, replayed at
 * the others. What a call returns holds until the next.
 */
export class Recorded<T> implements Disposable {
  readonly #f: (x: Tensor, condition: Tensor) => T;
  readonly #x: Tensor;
  readonly #told = new Scalar(0);
  #capture: Capture<T> | undefined;

  /** For samples like these, which are not kept. */
  constructor(like: Tensor, f: (x: Tensor, condition: Tensor) => T) {
    this.#x = like.engine.untrack(like.engine.empty(like.shape));
    this.#f = f;
  }

  at(x: Tensor, told: number): T {
    const { engine } = x;
    engine.copy(x, this.#x);
    this.#told.value = told;
    if (this.#capture) this.#capture.replay();
    else
      this.#capture = engine.capture(
        () => {
          const condition = scale(engine.ones([x.dim(0)]), this.#told);
          return this.#f(this.#x, condition);
        },
        { hoist: true, inputs: [this.#x] },
      );
    return this.#capture.result;
  }

  [Symbol.dispose](): void {
    this.#capture?.dispose();
    this.#x.dispose();
  }
}
