import type { Engine } from "../engine/engine.ts";
import { expectedOneOf, UsageError } from "../engine/errors.ts";
import { type Draw, randn } from "../engine/random.ts";
import { Scalar, type ScalarLike } from "../engine/scalar.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import type { UpdateCoefficients } from "../engine/updates.ts";
import { type Noise, update } from "./update.ts";

/**
 * How the update of a step is computed, always from the same random numbers, so that paths differ by rounding alone:
 * "separate", as ops on noise in memory; "fused", as one kernel that draws its noise; "network", that kernel in the one
 * which ends the network, where it is a convolution over rows of a multiple of four columns, and "fused" elsewhere.
 */
export type Fusion = "separate" | "fused" | "network";
const fusions: readonly Fusion[] = ["separate", "fused", "network"];

export interface NoiseOptions {
  seed: number;
  /** Index of the first sample: a batch split in parts gives the same samples. */
  sampleOffset?: number;
  /**
   * Standard normal numbers of a shape in place of the steps' own draws, in the order in which the sampler makes them:
   * recorded ones, say. Steps then run one by one instead of being replayed.
   */
  noise?: (shape: Shape) => Tensor;
  /** "fused" unless told; "separate" where noise is handed in, which allows no other. */
  fusion?: Fusion;
}

/** Throws UsageError for a fusion that does not exist, or that noise in memory has no part in. */
export function requireFusion(who: string, { noise, fusion }: Pick<NoiseOptions, "noise" | "fusion">): void {
  if (fusion !== undefined && !fusions.includes(fusion))
    throw new UsageError(`${who}: got fusion ${fusion}, ${expectedOneOf(fusion, fusions)}`);
  if (noise && fusion !== undefined && fusion !== "separate")
    throw new UsageError(
      `${who}: got noise with fusion: "${fusion}", whose kernel draws its own; leave one of them out`,
    );
}

/** Coefficients of x <- keep x + pull score + noise z; keep is 1 unless told, and nothing is drawn without `noise`. */
interface StepCoefficients {
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
  readonly #fusion: Fusion;

  constructor(engine: Engine, { seed, sampleOffset = 0, noise, fusion = "fused" }: NoiseOptions) {
    this.#engine = engine;
    this.#draw = { seed, purpose: "sampler", step: this.step, sampleOffset };
    this.#handed = noise;
    this.#fusion = noise ? "separate" : fusion;
  }

  /** Whether updates go into the kernels before them when the step is recorded. */
  get fuseUpdates(): boolean {
    return this.#fusion === "network";
  }

  /** Noise that is handed in differs from step to step, which a recorded step would not notice. */
  get replayable(): boolean {
    return this.#handed === undefined;
  }

  /** What updates take: numbers in memory, or a draw for the kernel to make. Draws of one step differ by their site. */
  of(shape: Shape, site = 0): Noise {
    return this.#fusion === "separate" ? this.normal(shape, site) : { ...this.#draw, site };
  }

  /** Standard normal numbers; draws of one step differ by their site. */
  normal(shape: Shape, site = 0): Tensor {
    return this.#handed?.(shape) ?? randn(this.#engine, shape, { ...this.#draw, site });
  }

  /** x <- keep x + pull score + noise z in place, z = normal(x.shape). */
  update(x: Tensor, score: Tensor, { keep = 1, pull, noise }: StepCoefficients): void {
    const z = noise === undefined ? undefined : this.of(x.shape);
    this.updateBy(x, score, { keep, pull, noise: noise ?? 0 }, z);
  }

  /** The same with noise of one's choice, or none. */
  updateBy(x: Tensor, score: Tensor, coefficients: UpdateCoefficients, z: Noise | undefined): void {
    update(x, score, coefficients, z, this.#fusion === "separate");
  }
}
