import type { Engine } from "../engine/engine.ts";
import { concat } from "../engine/ops/index.ts";
import { rand, randn } from "../engine/random.ts";
import { shapeSize } from "../engine/shapes.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";

/** Makes parameters. One seed gives one network: each parameter's draw is numbered in the order of construction. */
export class Init {
  readonly engine: Engine;
  readonly seed: number;
  #next = 0;
  #sites = 0;

  constructor(engine: Engine, seed = 0) {
    this.engine = engine;
    this.seed = seed;
  }

  constant(shape: Shape, value: number): Tensor {
    return this.#parameter(() => this.engine.full(shape, value));
  }

  normal(shape: Shape, mean: number, std: number): Tensor {
    return this.#parameter(() =>
      randn(this.engine, [1, shapeSize(shape)], this.#draw(), { scale: std, shift: mean }).alias(shape),
    );
  }

  /** Uniform on [low, high). */
  uniform(shape: Shape, low: number, high: number): Tensor {
    const range = { scale: high - low, shift: low };
    return this.#parameter(() => rand(this.engine, [1, shapeSize(shape)], this.#draw(), range).alias(shape));
  }

  /** PyTorch's default for the weights and the bias of linear and convolution layers: bound 1 / sqrt(fanIn). */
  fanIn(shape: Shape, fanIn: number): Tensor {
    const bound = 1 / Math.sqrt(fanIn);
    return this.uniform(shape, -bound, bound);
  }

  /** Variance scaling, fan average, uniform, as score_sde initialises: bound sqrt(3 scale / mean fan). A scale of 0 counts as 1e-10. */
  variance(shape: Shape, fanIn: number, fanOut: number, scaleBy = 1): Tensor {
    const bound = Math.sqrt((3 * (scaleBy || 1e-10)) / ((fanIn + fanOut) / 2));
    return this.uniform(shape, -bound, bound);
  }

  /** Parameters joined along the last axis to one; the parts are freed. */
  beside(...parts: readonly Tensor[]): Tensor {
    const whole = this.#parameter(() => concat(parts, -1).alias());
    for (const part of parts) part.dispose();
    return whole;
  }

  /** The same values as a buffer: stored with the network, never moved by training. */
  frozen(parameter: Tensor): Tensor {
    const buffer = this.engine.untrack(parameter.detach());
    parameter.dispose();
    return buffer;
  }

  /** A number for a layer that draws at every run, in the order of construction. */
  nextSite(): number {
    return this.#sites++;
  }

  #draw() {
    return { seed: this.seed, purpose: "init", step: this.#next++ } as const;
  }

  #parameter(make: () => Tensor): Tensor {
    const { engine } = this;
    return engine.asVariable(engine.noGrad(() => engine.scope(make)));
  }
}
