import type { Init } from "./init.ts";
import { InstanceNorm2d, type PlainNormName, plainNorm } from "./layers/index.ts";
import {
  fiveStages,
  fourStages,
  RefineNet,
  type RefineNetDesign,
  type RefineNetOptions,
  type Stage,
  sixStages,
} from "./refine-net.ts";

export interface Ncsnv2Options extends RefineNetOptions {
  /** Noise scales by label, descending as the paper writes them; stored with the network. */
  sigmas: readonly number[];
  /** "InstanceNorm++" unless told. */
  normalization?: PlainNormName;
}

/**
 * The network of Song & Ermon 2020 for images of 32 and 64 pixels, x in [0, 1]. Technique 3: nothing in it sees the
 * noise level, its output is divided by sigma instead. Norms in the residual blocks only; the cascades pool maxima.
 * Official name: NCSNv2.
 */
export class Ncsnv2 extends RefineNet {
  constructor(init: Init, options: Ncsnv2Options) {
    super(init, options, unconditional(fourStages, options));
  }
}

/** The same with five stages, for images of 96 and 128 pixels: NCSNv2Deeper. */
export class Ncsnv2Deeper extends RefineNet {
  constructor(init: Init, options: Ncsnv2Options) {
    super(init, options, unconditional(fiveStages, options));
  }
}

/** The same with six stages, for images of 256 pixels: NCSNv2Deepest. */
export class Ncsnv2Deepest extends RefineNet {
  constructor(init: Init, options: Ncsnv2Options) {
    super(init, options, unconditional(sixStages, options));
  }
}

/** The network that the authors trained on images of so many pixels a side: CIFAR-10 and CelebA, LSUN, FFHQ. */
export function ncsnv2For(imageSize: number): typeof Ncsnv2 {
  if (imageSize <= 64) return Ncsnv2;
  return imageSize <= 128 ? Ncsnv2Deeper : Ncsnv2Deepest;
}

function unconditional(
  stages: readonly Stage[],
  { sigmas, normalization = "InstanceNorm++" }: Ncsnv2Options,
): RefineNetDesign {
  const norm = plainNorm(normalization);
  // The official code hands the number of noise levels to the last norm, which InstanceNorm takes for its eps.
  const lastNorm = normalization === "InstanceNorm" ? () => new InstanceNorm2d({ eps: sigmas.length }) : norm;
  return { stages, norm, lastNorm, cascade: { pool: "max" }, sigmas };
}
