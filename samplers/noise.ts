import type { Engine } from "../engine/engine.ts";
import { type Draw, randn } from "../engine/random.ts";
import { Scalar, type ScalarLike } from "../engine/scalar.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type Noise, update } from "./update.ts";

export interface NoiseOptions {
  seed: number;
  /** Index of the first sample: a batch split in parts gives the same samples. */
  sampleOffset?: number;
  /**
   * Standard normal numbers of a shape in place of the steps' own draws, in the order in which the sampler makes them:
   * recorded ones, say. Steps then run one by one instead of being replayed.
   */
  noise?: (shape: Shape) => Tensor;
}

/** Coefficients of x <- keep x + pull score + noise z; keep is 1 unless told, and nothing is drawn without `noise`. */
export interface StepCoefficients {
  readonly keep?: ScalarLike;
  readonly pull: ScalarLike;
  readonly noise?: ScalarLike | undefined;
}

/** The random part of a sampler's steps: drawn by seed, or handed in. */
export class StepNoise {
  /** Which step the draws are for. */
  readonly step = new Scalar(0);
  readonly #engine: Engine;
  readonly #draw: Draw;
  readonly #handed: NoiseOptions["noise"];

  constructor(engine: Engine, { seed, sampleOffset = 0, noise }: NoiseOptions) {
    this.#engine = engine;
    this.#draw = { seed, purpose: "sampler", step: this.step, sampleOffset };
    this.#handed = noise;
  }

  /** Noise that is handed in differs from step to step, which a recorded step would not notice. */
  get replayable(): boolean {
    return this.#handed === undefined;
  }

  /** What `update` takes: numbers handed in, or a draw for its kernel to make. Draws of one step differ by their site. */
  of(shape: Shape, site = 0): Noise {
    return this.#handed?.(shape) ?? { ...this.#draw, site };
  }

  /** Standard normal numbers; draws of one step differ by their site. */
  normal(shape: Shape, site = 0): Tensor {
    return this.#handed?.(shape) ?? randn(this.#engine, shape, { ...this.#draw, site });
  }

  /** x <- keep x + pull score + noise z in place, z = normal(x.shape), which is drawn in the kernel. */
  update(x: Tensor, score: Tensor, { keep = 1, pull, noise }: StepCoefficients): void {
    const z = noise === undefined ? undefined : this.of(x.shape);
    update(x, score, { keep, pull, noise: noise ?? 0 }, z);
  }
}
