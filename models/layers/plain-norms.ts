import { expectedOneOf, UsageError } from "../../engine/errors.ts";
import {
  groupNorm,
  instanceNorm,
  instanceNormPlus,
  type NormOptions,
  reshape,
} from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import { activation, fused } from "./activation.ts";
import { type MakeNorm, Norm, type NormInput } from "./norm.ts";
import { varianceNorm } from "./variance.ts";

/** No norm at all, only the activation. */
export class NoneNorm2d extends Norm {
  forward(x: Tensor, { act }: NormInput = {}): Tensor {
    return act ? activation(x, act) : x;
  }
}

/** Each map to mean 0 and variance 1, without parameters. */
export class InstanceNorm2d extends Norm {
  readonly eps: number;

  constructor({ eps = 1e-5 } = {}) {
    super();
    this.eps = eps;
  }

  forward(x: Tensor, { act }: NormInput = {}): Tensor {
    return instanceNorm(x, { eps: this.eps, ...fused(act) });
  }
}

/** gamma (xhat + alpha u) + beta, u the maps' means normalised over the channels. Song & Ermon 2020. */
export class InstanceNorm2dPlus extends Norm {
  readonly alpha: Tensor;
  readonly gamma: Tensor;
  readonly beta?: Tensor;

  constructor(init: Init, channels: number, { bias = true } = {}) {
    super();
    this.alpha = init.normal([channels], 1, 0.02);
    this.gamma = init.normal([channels], 1, 0.02);
    if (bias) this.beta = init.constant([channels], 0);
  }

  forward(x: Tensor, { act }: NormInput = {}): Tensor {
    const { alpha, gamma, beta } = this;
    return instanceNormPlus(x, { alpha, gamma, beta, ...fused(act) });
  }
}

/** alpha x / sqrt(var + eps), var the unbiased variance of a map; the mean stays. */
export class VarianceNorm2d extends Norm {
  readonly alpha: Tensor;

  constructor(init: Init, channels: number) {
    super();
    this.alpha = init.normal([channels], 1, 0.02);
  }

  forward(x: Tensor, { act }: NormInput = {}): Tensor {
    return varianceNorm(x, this.alpha, act);
  }
}

export interface GroupNormOptions {
  groups: number;
  eps?: number;
}

/** Groups of channels to mean 0 and variance 1, then weight and bias for each channel. */
export class GroupNorm extends Norm {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly options: Required<GroupNormOptions>;

  constructor(init: Init, channels: number, { groups, eps = 1e-6 }: GroupNormOptions) {
    super();
    if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0)
      throw new UsageError(
        `GroupNorm: got ${groups} groups for ${channels} channels, expected a divisor of ${channels}`,
      );
    this.weight = init.constant([channels], 1);
    this.bias = init.constant([channels], 0);
    this.options = { groups, eps };
  }

  forward(x: Tensor, { act }: NormInput = {}): Tensor {
    const { groups, eps } = this.options;
    return groupNorm(x, groups, { gamma: this.weight, beta: this.bias, eps, ...fused(act) });
  }
}

/** layerNorm with parameters. */
export class LayerNorm extends Module<[x: Tensor], Tensor> {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly eps: number;

  constructor(init: Init, features: number, { eps = 1e-5 } = {}) {
    super();
    this.weight = init.constant([features], 1);
    this.bias = init.constant([features], 0);
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, { gamma: this.weight, beta: this.bias, eps: this.eps });
  }
}

/** The last axis of x [...,c] to mean 0 and variance 1, then gamma x + beta, [c] each. Ba et al. 2016. */
export function layerNorm(
  x: Tensor,
  { gamma, beta, eps = 1e-5 }: Pick<NormOptions, "gamma" | "beta" | "eps"> = {},
): Tensor {
  const rows = reshape(x, [-1, x.dim(-1), 1, 1]); // one group over all channels of a single pixel
  return reshape(groupNorm(rows, 1, { gamma, beta, eps }), x.shape);
}

/** Names of NCSNv2's configurations. */
export const plainNormNames = ["InstanceNorm++", "InstanceNorm", "VarianceNorm", "NoneNorm"] as const;
export type PlainNormName = (typeof plainNormNames)[number];

/** The norm of a configuration. Throws UsageError for an unknown name. */
export function plainNorm(name: string): MakeNorm {
  switch (name as PlainNormName) {
    case "InstanceNorm++":
      return (init, channels) => new InstanceNorm2dPlus(init, channels);
    case "InstanceNorm":
      return () => new InstanceNorm2d();
    case "VarianceNorm":
      return (init, channels) => new VarianceNorm2d(init, channels);
    case "NoneNorm":
      return () => new NoneNorm2d();
  }
  throw new UsageError(`plainNorm: got ${name}, ${expectedOneOf(name, plainNormNames)}`);
}
