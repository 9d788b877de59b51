import { UsageError } from "../../engine/errors.ts";
import { concat, cos, scale, sin, softplus } from "../../engine/ops/index.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Linear } from "../layers/index.ts";
import { Module } from "../module.ts";
import type { Network } from "../prediction.ts";

/**
 * Linear layers with softplus between them: x [n,first width] -> [n,last width]. The layers bear the official names
 * 0, 2, 4, ...: the odd places are the activations'.
 */
export class Mlp extends Module<[x: Tensor], Tensor> {
  readonly #layers: readonly Linear[];
  readonly #inputs: number;

  /** Throws UsageError for fewer than two widths, and for one that is not a whole number from 1. */
  constructor(init: Init, widths: readonly number[]) {
    super();
    if (widths.length < 2 || widths.some((width) => !Number.isInteger(width) || width < 1))
      throw new UsageError(
        `${new.target.name}: got widths [${widths}], expected at least two whole numbers from 1, such as [2,128,128,2]`,
      );
    this.#inputs = widths[0]!;
    this.#layers = widths.slice(1).map((width, i) => new Linear(init, widths[i]!, width));
    this.#layers.forEach((layer, i) => {
      Object.assign(this, { [2 * i]: layer });
    });
    this.nameParts();
  }

  forward(x: Tensor): Tensor {
    requirePoints(this, x, this.#inputs);
    return this.#layers.reduce((h, layer, i) => layer.run(i === 0 ? h : softplus(h)), x);
  }
}

export interface ToyScoreOptions {
  /** Of the points. */
  dimensions?: number;
  /** Width of the two hidden layers. */
  hidden?: number;
}

export interface ToyScoreInputs extends ToyScoreOptions {
  /** Sines and cosines of x, 2 x, ... so many times x go in beside x: fine structure is learned sooner (Tancik et al. 2020). */
  frequencies?: number;
}

/** The score of points: x [n,d] -> [n,d], for one noise scale. The network of Song & Ermon's two-dimensional experiment, 2019. */
export class ToyScore extends Mlp implements Network<"score"> {
  readonly predicts = "score" as const;
  readonly #dimensions: number;
  readonly #frequencies: number;

  /** Throws UsageError for frequencies that are not a whole number from 0. */
  constructor(init: Init, { dimensions = 2, hidden = 128, frequencies = 0 }: ToyScoreInputs = {}) {
    if (!Number.isInteger(frequencies) || frequencies < 0)
      throw new UsageError(`ToyScore: got frequencies ${frequencies}, expected a whole number from 0`);
    super(init, [dimensions * (1 + 2 * frequencies), hidden, hidden, dimensions]);
    this.#dimensions = dimensions;
    this.#frequencies = frequencies;
  }

  override forward(x: Tensor): Tensor {
    requirePoints(this, x, this.#dimensions);
    if (this.#frequencies === 0) return super.forward(x);
    const angles = Array.from({ length: this.#frequencies }, (_, k) => scale(x, k + 1));
    return super.forward(concat([x, ...angles.flatMap((angle) => [sin(angle), cos(angle)])], 1));
  }
}

/** Throws UsageError for what is not [n,d]. */
function requirePoints(module: Module<[x: Tensor], Tensor>, x: Tensor, d: number): void {
  if (x.rank !== 2 || x.dim(1) !== d)
    throw new UsageError(`${module.constructor.name}: got x ${showShape(x.shape)}, expected [n,${d}]`);
}
