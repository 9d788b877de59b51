import type { Init } from "./init.ts";
import {
  ConditionalInstanceNorm2d,
  ConditionalInstanceNorm2dPlus,
  ConditionalNoneNorm2d,
  ConditionalVarianceNorm2d,
  type MakeNorm,
  type PlainNormName,
  plainNormNames,
} from "./layers/index.ts";
import {
  fiveStages,
  fourStages,
  RefineNet,
  type RefineNetDesign,
  type RefineNetOptions,
  type Stage,
} from "./refine-net.ts";
import { requireCounts, requireOneOf } from "./require.ts";

export interface NcsnOptions extends RefineNetOptions {
  /** Noise levels. */
  numClasses: number;
  /** Each norm has parameters of its own for every noise level. */
  normalization?: PlainNormName;
}

/**
 * The noise conditional score network of Song & Ermon 2019, x in [0, 1], the score not divided by sigma: conditional
 * instance norm++ unless told before every convolution, also in the cascades, which pool means. Official names:
 * CondRefineNetDilated (2019), NCSN (2020).
 */
export class Ncsn extends RefineNet {
  constructor(init: Init, options: NcsnOptions) {
    super(init, options, conditional(new.target.name, fourStages, "InstanceNorm++", options));
  }
}

/** The same with five stages and conditional instance norm unless told: CondRefineNetDeeperDilated (2019), NCSNdeeper (2020). */
export class NcsnDeeper extends RefineNet {
  constructor(init: Init, options: NcsnOptions) {
    super(init, options, conditional(new.target.name, fiveStages, "InstanceNorm", options));
  }
}

function conditional(
  who: string,
  stages: readonly Stage[],
  usual: PlainNormName,
  { numClasses, normalization = usual }: NcsnOptions,
): RefineNetDesign {
  requireCounts(who, { numClasses });
  const norm = conditionalNorm(who, normalization, numClasses);
  return { stages, norm, lastNorm: norm, cascade: { norm, pool: "average" } };
}

const norms = {
  "InstanceNorm++": ConditionalInstanceNorm2dPlus,
  InstanceNorm: ConditionalInstanceNorm2d,
  VarianceNorm: ConditionalVarianceNorm2d,
  NoneNorm: ConditionalNoneNorm2d,
} satisfies Record<PlainNormName, unknown>;

function conditionalNorm(who: string, name: PlainNormName, numClasses: number): MakeNorm {
  const Norm = norms[requireOneOf(who, "normalization", name, plainNormNames)];
  return (init, channels) => new Norm(init, channels, numClasses);
}
