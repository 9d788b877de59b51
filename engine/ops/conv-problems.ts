import type { ConvProblem } from "../../kernels/conv-ways.ts";
import type { Inputs } from "../op.ts";
import { type ConvAttrs, type Pair, sizeOf } from "./conv-shapes.ts";

/** A convolution whose taps may be flipped and inputs stuffed, for the input gradient. */
export interface Convolution extends ConvProblem {
  readonly attrs: ConvAttrs;
  /** Weights are [ci, co, kh, kw] and their taps read backwards. */
  readonly flip: boolean;
  /** Of the epilogue. */
  readonly rescale: number;
}

export function convolutionOf(
  [x, w]: Inputs,
  [oh, ow]: Pair,
  attrs: ConvAttrs,
  { flip = false, stuffing = [1, 1] as Pair, rescale = 1 } = {},
): Convolution {
  const [outer, inner] = w!.shape as [number, number];
  const [co, ci] = flip ? [inner, outer] : [outer, inner];
  const half = x!.dtype === "f16";
  const [size, kernel] = [sizeOf(x!), sizeOf(w!)];
  return { n: x!.dim(0), ci, co, oh, ow, size, kernel, attrs, flip, stuffing, half, rescale };
}

/** The geometry of the gradient in the input, a convolution of dy without stride by the flipped weight. */
export function turnedBack([kh, kw]: Pair, { padding, dilation }: ConvAttrs): ConvAttrs {
  const top = dilation[0] * (kh - 1) - padding[0];
  const left = dilation[1] * (kw - 1) - padding[2];
  return { stride: [1, 1], padding: [top, 0, left, 0], dilation };
}

/** The problem of the gradient in a convolution's input, which is computed in f32. */
export const gradientOf = ({ n, ci, co, oh, ow, size, kernel, attrs }: Convolution): Convolution => ({
  ...{ n, ci: co, co: ci, oh: size![0], ow: size![1], size: [oh, ow], kernel },
  ...{ attrs: turnedBack(kernel, attrs), flip: true, stuffing: attrs.stride, half: false, rescale: 1 },
});

/** The geometry of a convolution whose weight gradient is asked for, and its kernel's height and width. */
export type WeightGradAttrs = ConvAttrs & { readonly kernelSize: Pair };

/** A weight gradient. */
export interface WeightSums extends WeightGradAttrs {
  readonly n: number;
  readonly co: number;
  readonly ci: number;
  readonly kh: number;
  readonly kw: number;
  /** Of dy. */
  readonly size: Pair;
}
