import type { Binding } from "./kernel.ts";

/*
 * What a convolution is as a product of weights [co, taps ci] by inputs [taps ci, n oh ow], whichever units compute it.
 */

export type ConvEnd = {
  readonly residual: boolean;
  /** An image has a multiple of four outputs: they are written, and residuals read, in fours. */
  readonly vec: boolean;
};

/** Bias, residual and outputs: the bindings that come after those of the inputs and weights. */
export const endBindings = ({ residual, vec }: ConvEnd): Record<"bias" | "residual" | "y", Binding> =>
  ({
    bias: "read f32",
    ...(residual && { residual: vec ? "read vec4f" : "read f32" }),
    y: vec ? "read_write vec4f" : "read_write f32",
  }) as Record<"bias" | "residual" | "y", Binding>;

/** The product's sizes: channels out, outputs of all images, and channels in. */
export const productParams = { m: "u32", n: "u32", ci: "u32" } as const;

export const tapParams = {
  oh: "u32",
  ow: "u32",
  kh: "u32",
  kw: "u32",
  strideY: "u32",
  strideX: "u32",
  dilationY: "u32",
  dilationX: "u32",
} as const;

export const endParams = {
  useBias: "u32",
  /** From one sample's bias to the next's: 0 where all have the same. */
  biasPitch: "u32",
  rescale: "f32",
} as const;

/** WGSL: a channel's bias in a sample. */
export const biasAt = (sample: string, channel: string): string =>
  `select(0.0, bias[(${sample} * p.biasPitch + ${channel}) * p.useBias], p.useBias == 1u)`;

/** WGSL: what a sum ends as, with its bias b, at y[out]. */
export const endOf = ({ residual }: ConvEnd, sum: string): string =>
  residual ? `(${sum} + b + residual[out]) * p.rescale` : `${sum} + b`;
