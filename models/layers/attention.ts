import { UsageError } from "../../engine/errors.ts";
import { add, attention, mul, reshape } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";
import { NIN } from "./linear.ts";
import { GroupNorm } from "./plain-norms.ts";

export interface AttnOptions {
  /** Groups of the norm: 32 in the DDPM network, groupsFor(channels) in NCSN++. */
  groups: number;
  /** Of the last projection; 0 lets the block start as the identity. */
  initScale?: number;
  /** Divide the sum with the skip by sqrt 2. */
  skipRescale?: boolean;
}

/** Groups of every norm in NCSN++: four channels a group, 32 groups at most. Throws UsageError where they do not share them out. */
export function groupsFor(channels: number): number {
  const groups = Math.max(1, Math.min(Math.floor(channels / 4), 32));
  if (channels % groups !== 0)
    throw new UsageError(
      `groupsFor: got ${channels} channels, which ${groups} groups cannot share out, expected widths that they can; ` +
        "choose a network's nf, or a classifier's channels, as a multiple of 32 or as 4, 8 or 16",
    );
  return groups;
}

/** Self-attention over the pixels with a skip: x [n,c,h,w] -> the same shape. AttnBlock of layers.py, AttnBlockpp of layerspp.py. */
export class AttnBlock extends Module<[x: Tensor], Tensor> {
  readonly GroupNorm_0: GroupNorm;
  /** Query. */
  readonly NIN_0: NIN;
  /** Key. */
  readonly NIN_1: NIN;
  /** Value. */
  readonly NIN_2: NIN;
  readonly NIN_3: NIN;
  readonly skipRescale: boolean;

  constructor(init: Init, channels: number, { groups, initScale = 0, skipRescale = false }: AttnOptions) {
    super();
    this.GroupNorm_0 = new GroupNorm(init, channels, { groups });
    this.NIN_0 = new NIN(init, channels, channels);
    this.NIN_1 = new NIN(init, channels, channels);
    this.NIN_2 = new NIN(init, channels, channels);
    this.NIN_3 = new NIN(init, channels, channels, { initScale });
    this.skipRescale = skipRescale;
  }

  forward(x: Tensor): Tensor {
    const [n, c, height, width] = x.shape as [number, number, number, number];
    const h = this.GroupNorm_0.run(x);
    const pixels = (t: Tensor) => reshape(t, [n, c, height * width]);
    const attended = attention(
      pixels(this.NIN_0.run(h)),
      pixels(this.NIN_1.run(h)),
      pixels(this.NIN_2.run(h)),
    );
    const sum = add(x, this.NIN_3.run(reshape(attended, x.shape)));
    return this.skipRescale ? mul(sum, Math.SQRT1_2) : sum;
  }
}
