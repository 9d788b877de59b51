import { UsageError } from "../../engine/errors.ts";
import {
  type AffineName,
  add,
  chunk,
  embedding,
  instanceNorm,
  instanceNormPlus,
  mul,
} from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import { activation, fused } from "./activation.ts";
import { Norm, type NormInput } from "./norm.ts";
import { perChannel, varianceNorm } from "./variance.ts";

/*
 * Norms with parameters of their own for each noise level, looked up by label. A row of `embed.weight` holds them
 * side by side, c numbers each, in the order the class names.
 */

export interface ConditionalNormOptions {
  /** Leaves beta out when false. */
  bias?: boolean;
}

/** One row of numbers for each label. */
export class Embedding extends Module<[labels: Tensor], Tensor> {
  readonly weight: Tensor;

  constructor(weight: Tensor) {
    super();
    this.weight = weight;
  }

  /** labels [n] (i32) -> [n, width]. */
  forward(labels: Tensor): Tensor {
    return embedding(this.weight, labels);
  }
}

abstract class ConditionalNorm extends Norm {
  readonly embed: Embedding;
  readonly width: number;

  constructor(embed: Embedding, channels: number) {
    super();
    this.embed = embed;
    this.width = channels;
  }

  /** Each sample's parameters side by side, [n, parts c]. */
  protected lookUp(labels: Tensor | undefined): Tensor {
    return this.embed.run(this.#required(labels));
  }

  /** The same as a norm looks it up: as many of the parts as the rows have. */
  protected rows(labels: Tensor | undefined, parts: readonly AffineName[]) {
    const { weight: values } = this.embed;
    return { values, order: parts.slice(0, values.dim(1) / this.width), labels: this.#required(labels) };
  }

  #required(labels: Tensor | undefined): Tensor {
    if (!labels)
      throw new UsageError(
        `${this.constructor.name}: got no labels, expected the noise level of each sample [n]`,
      );
    return labels;
  }
}

/** gamma (xhat + alpha u) + beta, u the maps' means normalised over the channels; rows gamma, alpha, beta. Song & Ermon 2019. */
export class ConditionalInstanceNorm2dPlus extends ConditionalNorm {
  constructor(
    init: Init,
    channels: number,
    numClasses: number,
    { bias = true }: ConditionalNormOptions = {},
  ) {
    const scales = init.normal([numClasses, 2 * channels], 1, 0.02);
    super(
      new Embedding(bias ? init.beside(scales, init.constant([numClasses, channels], 0)) : scales),
      channels,
    );
  }

  forward(x: Tensor, { labels, act }: NormInput = {}): Tensor {
    return instanceNormPlus(x, { rows: this.rows(labels, ["gamma", "alpha", "beta"]), ...fused(act) });
  }
}

/** gamma xhat + beta; rows gamma, beta. Dumoulin et al. 2017. */
export class ConditionalInstanceNorm2d extends ConditionalNorm {
  constructor(init: Init, channels: number, numClasses: number, options: ConditionalNormOptions = {}) {
    super(uniformScales(init, channels, numClasses, options), channels);
  }

  forward(x: Tensor, { labels, act }: NormInput = {}): Tensor {
    return instanceNorm(x, { rows: this.rows(labels, ["gamma", "beta"]), ...fused(act) });
  }
}

/** gamma x / sqrt(var + eps), the mean stays; rows gamma. */
export class ConditionalVarianceNorm2d extends ConditionalNorm {
  constructor(init: Init, channels: number, numClasses: number) {
    super(new Embedding(init.normal([numClasses, channels], 1, 0.02)), channels);
  }

  forward(x: Tensor, { labels, act }: NormInput = {}): Tensor {
    return varianceNorm(x, this.lookUp(labels), act);
  }
}

/** gamma x + beta, nothing normalised; rows gamma, beta. */
export class ConditionalNoneNorm2d extends ConditionalNorm {
  constructor(init: Init, channels: number, numClasses: number, options: ConditionalNormOptions = {}) {
    super(uniformScales(init, channels, numClasses, options), channels);
  }

  forward(x: Tensor, { labels, act }: NormInput = {}): Tensor {
    const row = this.lookUp(labels);
    const [gamma, beta] = chunk(row, row.dim(1) / this.width, 1);
    const scaled = mul(x, perChannel(gamma!));
    const y = beta ? add(scaled, perChannel(beta)) : scaled;
    return act ? activation(y, act) : y;
  }
}

/** gamma uniform on [0, 1), beta 0. */
function uniformScales(
  init: Init,
  channels: number,
  numClasses: number,
  { bias = true }: ConditionalNormOptions,
): Embedding {
  const gamma = init.uniform([numClasses, channels], 0, 1);
  return new Embedding(bias ? init.beside(gamma, init.constant([numClasses, channels], 0)) : gamma);
}
