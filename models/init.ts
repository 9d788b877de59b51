import type { Engine } from "../engine/engine.ts";
import { rand, randn } from "../engine/random.ts";
import { add, scale } from "../engine/ops/index.ts";
import { shapeSize } from "../engine/shapes.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";

/** Makes parameters. One seed gives one network: each parameter's draw is numbered in the order of construction. */
export class Init {
  readonly engine: Engine;
  readonly seed: number;
  #next = 0;

  constructor(engine: Engine, seed = 0) {
    this.engine = engine;
    this.seed = seed;
  }

  constant(shape: Shape, value: number): Tensor {
    return this.engine.asVariable(this.engine.full(shape, value));
  }

  normal(shape: Shape, mean: number, std: number): Tensor {
    return this.#parameter(shape, () => add(scale(randn(this.engine, [1, shapeSize(shape)], this.#draw()), std), mean));
  }

  /** Uniform on [-bound, bound). */
  uniform(shape: Shape, bound: number): Tensor {
    return this.#parameter(shape, () => add(scale(rand(this.engine, [1, shapeSize(shape)], this.#draw()), 2 * bound), -bound));
  }

  /** PyTorch's default for the weights and the bias of linear and convolution layers: bound 1 / sqrt(fanIn). */
  fanIn(shape: Shape, fanIn: number): Tensor {
    return this.uniform(shape, 1 / Math.sqrt(fanIn));
  }

  /** Variance scaling, fan average, uniform, as score_sde initialises: bound sqrt(3 scale / mean fan). A scale of 0 counts as 1e-10. */
  variance(shape: Shape, fanIn: number, fanOut: number, scaleBy = 1): Tensor {
    return this.uniform(shape, Math.sqrt((3 * (scaleBy || 1e-10)) / ((fanIn + fanOut) / 2)));
  }

  #draw() {
    return { seed: this.seed, purpose: "init", step: this.#next++ } as const;
  }

  #parameter(shape: Shape, make: () => Tensor): Tensor {
    const { engine } = this;
    const t = engine.noGrad(() => engine.scope(() => make().alias(shape)));
    return engine.asVariable(t);
  }
}
