import { chosen } from "../choices.ts";
import { UsageError } from "../errors.ts";
import { defineOp, type Op } from "../op.ts";
import { withResidual } from "../oracle/array.ts";
import * as oracle from "../oracle/conv2d.ts";
import { sameShape, showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { add } from "./binary.ts";
import { convolve, convolvePacking, weightSums } from "./conv-choice.ts";
import { convolutionOf, turnedBack, type WeightGradAttrs } from "./conv-problems.ts";
import {
  type ConvAttrs,
  type ConvOptions,
  outSize,
  type Pair,
  pair,
  requireBias,
  requireConv,
  requireGeometry,
  requireLengths,
  sizeOf,
} from "./conv-shapes.ts";
import { matmul } from "./matmul.ts";
import { reshape, sum } from "./reduce.ts";
import { requireFloat } from "./require.ts";
import { scale } from "./scale.ts";

// Three ops closed under differentiation. With y = C(x, w), dx = I(dy, w) and dw = W(dy, x) all bilinear,
//   dC = I, W;   dI(g) = C(g, w) for dy and W(dy, g) for w;   dW(g) = C(x, g) for dy and I(dy, g) for x.

/** What follows the convolution in its kernel: (conv + bias + residual) * rescale. */
export interface Epilogue {
  /** [co], or [n,co] where each sample has its own. */
  bias?: Tensor | undefined;
  /** Of the output's shape. */
  residual?: Tensor | undefined;
  /** 1 unless told. */
  rescale?: number;
}

/** rescale without a residual is left to `scale`. */
const convOp: Op<ConvAttrs & { readonly rescale?: number }> = defineOp({
  name: "conv2d",
  forward: (engine, inputs, { rescale = 1, ...attrs }) => {
    const size = outSize(sizeOf(inputs[0]!), sizeOf(inputs[1]!), attrs);
    return convolvePacking(engine, inputs, convolutionOf(inputs, size, attrs, { rescale }));
  },
  vjp: ({ engine, inputs: [x, w], dy, shapes, wants, extras, take, attrs: { rescale = 1, ...attrs } }) => {
    const g = rescale === 1 ? dy : scale(dy, rescale);
    const inputSize: Pair = [shapes[0]![2]!, shapes[0]![3]!];
    const before = addsResidual(attrs) ? take(0) : undefined;
    return [
      wants[0]
        ? inputGradOp(engine, [g, w, undefined, before, extras[0]], { ...attrs, inputSize })
        : undefined,
      wants[1]
        ? conv2dWeightGrad(g, x!, { ...attrs, kernelSize: [shapes[1]![2]!, shapes[1]![3]!] })
        : undefined,
      wants[2] ? sum(g, { axis: shapes[2]!.length === 2 ? [2, 3] : [0, 2, 3] }) : undefined,
      wants[3] ? g : undefined,
    ];
  },
  saves: { inputs: "crosswise" },
  oracle: ([x, w, bias, residual], { rescale = 1, ...attrs }) => {
    const y = oracle.conv2d(x!, w!, bias ?? null, attrs);
    return residual ? oracle.addRescaled(y, residual, rescale) : y;
  },
});

export type InputGradAttrs = ConvAttrs & { readonly inputSize: Pair };

/** Whether every way to an input gradient adds a residual: those of strides do not. */
const addsResidual = ({ stride }: ConvAttrs): boolean => stride[0] * stride[1] === 1;

/** Of dy, w and, where `addsResidual`, a residual as the fourth input; the fifth is a pack of w, where there is one. */
const inputGradOp: Op<InputGradAttrs> = defineOp({
  name: "conv2d_input_grad",
  // A stride-1 convolution of dy, with zeros stuffed between for a stride, by the flipped weight.
  forward: (engine, inputs, { inputSize, ...attrs }) => {
    const back = turnedBack(sizeOf(inputs[1]!), attrs);
    const problem = convolutionOf(inputs, inputSize, back, { flip: true, stuffing: attrs.stride });
    return convolve(engine, inputs, problem);
  },
  vjp: ({ inputs: [dy, w], dy: g, shapes, wants, attrs }) => [
    wants[0] ? convOp(g.engine, [g, w!], attrs) : undefined,
    wants[1]
      ? conv2dWeightGrad(dy!, g, { ...attrs, kernelSize: [shapes[1]![2]!, shapes[1]![3]!] })
      : undefined,
    undefined,
    wants[3] ? g : undefined,
  ],
  saves: { inputs: "crosswise" },
  oracle: ([dy, w, , residual], attrs) => withResidual(oracle.conv2dInputGrad(dy!, w!, attrs), residual),
});

const weightGradOp = defineOp<WeightGradAttrs>({
  name: "conv2d_weight_grad",
  forward: (engine, inputs, attrs) => {
    const [dy, x] = inputs;
    const [kh, kw] = attrs.kernelSize;
    const problem = { ...attrs, n: dy!.dim(0), co: dy!.dim(1), ci: x!.dim(1), kh, kw, size: sizeOf(dy!) };
    return chosen(engine, weightSums, inputs, problem);
  },
  vjp: ({ inputs: [dy, x], dy: g, shapes, wants, attrs }) => [
    wants[0] ? convOp(g.engine, [x!, g], attrs) : undefined,
    wants[1] ? conv2dInputGrad(dy!, g, { ...attrs, inputSize: [shapes[1]![2]!, shapes[1]![3]!] }) : undefined,
  ],
  saves: { inputs: "crosswise" },
  oracle: ([dy, x], attrs) => oracle.conv2dWeightGrad(dy!, x!, attrs),
});

/**
 * dL/dx [n,ci,h,w] from dy [n,co,oh,ow] and weight [co,ci,kh,kw]. Also the transposed convolution. Throws UsageError
 * when dy is not what a convolution of that input size gives, and for numbers and dtypes as conv2d does.
 */
export function conv2dInputGrad(dy: Tensor, w: Tensor, attrs: InputGradAttrs): Tensor {
  const { inputSize } = attrs;
  requireBilinear("conv2dInputGrad", [dy, w], attrs, { inputSize });
  requireGradient("conv2dInputGrad", dy, w.dim(0), outSize(inputSize, sizeOf(w), attrs));
  return inputGradOp(dy.engine, [dy, w], attrs);
}

/** dL/dw [co,ci,kh,kw] from dy [n,co,oh,ow] and x [n,ci,h,w]. Throws UsageError as conv2dInputGrad does. */
export function conv2dWeightGrad(dy: Tensor, x: Tensor, attrs: WeightGradAttrs): Tensor {
  const { kernelSize } = attrs;
  requireBilinear("conv2dWeightGrad", [dy, x], attrs, { kernelSize });
  requireGradient("conv2dWeightGrad", dy, dy.dim(1), outSize(sizeOf(x), kernelSize, attrs), x.dim(0));
  return weightGradOp(dy.engine, [dy, x], attrs);
}

function requireBilinear(
  who: string,
  factors: readonly Tensor[],
  attrs: ConvAttrs,
  asked: Readonly<Record<string, Pair>>,
): void {
  for (const t of factors) requireFloat(who, t);
  requireGeometry(who, attrs);
  requireLengths(who, asked);
}

function requireGradient(who: string, dy: Tensor, co: number, size: Pair, n = dy.dim(0)): void {
  const expected = [n, co, ...size];
  if (!sameShape(dy.shape, expected))
    throw new UsageError(`${who}: got dy ${showShape(dy.shape)}, expected ${showShape(expected)}`);
}

/**
 * Cross-correlation of x [n,ci,h,w] with weight [co,ci,kh,kw] plus bias, [co] or [n,co] -> [n,co,oh,ow], as torch's
 * conv2d with groups = 1. With `residual` and `rescale`: (conv + bias + residual) rescale, in the same kernel.
 * Throws UsageError for shapes that do not fit, whole numbers below 1, or an empty output.
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: ConvOptions & Omit<Epilogue, "bias"> = {},
): Tensor {
  const { residual, rescale = 1 } = options;
  const attrs = requireConv("conv2d", x, weight, options);
  const co = weight.dim(0);
  if (x.dim(1) !== weight.dim(1))
    throw new UsageError(
      `conv2d: got x ${showShape(x.shape)} with weight ${showShape(weight.shape)}, expected weight ` +
        `[${co},${x.dim(1)},kh,kw]; build the layer with inChannels: ${x.dim(1)}`,
    );
  if (bias) requireBias("conv2d", bias, co, x.dim(0));
  if (residual) requireFloat("conv2d", residual);
  const size = outSize(sizeOf(x), sizeOf(weight), attrs);
  if (size[0] < 1 || size[1] < 1)
    throw new UsageError(
      `conv2d: got x ${showShape(x.shape)} with kernel ${sizeOf(weight).join("x")}, padding [${attrs.padding}], ` +
        `dilation [${attrs.dilation}]: the kernel does not fit; pad more or use a larger image`,
    );
  const shape = [x.dim(0), co, ...size];
  if (residual && !sameShape(residual.shape, shape))
    throw new UsageError(
      `conv2d: got residual ${showShape(residual.shape)}, expected the output's shape ${showShape(shape)}`,
    );
  if (isPointwise(weight, attrs)) return rescaled(pointwise(x, weight, bias), residual, rescale);
  if (residual) return convOp(x.engine, [x, weight, bias, residual], { ...attrs, rescale });
  return rescaled(convOp(x.engine, [x, weight, bias], attrs), undefined, rescale);
}

const rescaled = (y: Tensor, residual: Tensor | undefined, rescale: number): Tensor => {
  const sum = residual ? add(y, residual) : y;
  return rescale === 1 ? sum : scale(sum, rescale);
};

const isPointwise = (w: Tensor, { stride, padding }: ConvAttrs): boolean =>
  w.dim(2) * w.dim(3) * stride[0] * stride[1] === 1 && padding.every((p) => p === 0);

/** A 1 x 1 convolution is a matrix product at every pixel. */
function pointwise(x: Tensor, weight: Tensor, bias: Tensor | undefined): Tensor {
  const [n, ci, h, w] = x.shape as [number, number, number, number];
  const co = weight.dim(0);
  const y = matmul(reshape(weight, [co, ci]), reshape(x, [n, ci, h * w]), { bias, biasAlong: "rows" });
  return reshape(y, [n, co, h, w]);
}

export interface ConvTransposeOptions extends ConvOptions {
  /** Rows and columns more at the bottom and the right, of those that one input may have come from; 0 unless told. */
  outputPadding?: number | Pair;
}

/**
 * Transposed convolution of x [n,ci,h,w] with weight [ci,co,kh,kw] -> [n,co,H,W],
 * H = (h-1) stride - top - bottom + dilation (kh-1) + outputPadding + 1, as torch's conv_transpose2d.
 * Throws UsageError as conv2d does, and for an outputPadding that is not below the stride.
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  options: ConvTransposeOptions = {},
): Tensor {
  const attrs = requireConv("convTranspose2d", x, weight, options);
  if (bias) requireBias("convTranspose2d", bias, weight.dim(1));
  if (x.dim(1) !== weight.dim(0))
    throw new UsageError(
      `convTranspose2d: got x ${showShape(x.shape)} with weight ${showShape(weight.shape)}, expected weight [${x.dim(1)},co,kh,kw]`,
    );
  const extra = pair(options.outputPadding ?? 0);
  const {
    stride,
    padding: [t, b, l, r],
    dilation,
  } = attrs;
  if (extra.some((v, i) => !Number.isInteger(v) || v < 0 || v >= stride[i]!))
    throw new UsageError(
      `convTranspose2d: got outputPadding [${extra}], expected whole numbers from 0 to below the stride [${stride}]`,
    );
  const inputSize: Pair = [
    (x.dim(2) - 1) * stride[0] - t - b + dilation[0] * (weight.dim(2) - 1) + extra[0] + 1,
    (x.dim(3) - 1) * stride[1] - l - r + dilation[1] * (weight.dim(3) - 1) + extra[1] + 1,
  ];
  if (inputSize.some((d) => d < 1))
    throw new UsageError(
      `convTranspose2d: got x ${showShape(x.shape)} with kernel ${sizeOf(weight).join("x")}, padding [${attrs.padding}]: ` +
        "the padding crops all of the output; pad less",
    );
  const y = conv2dInputGrad(x, weight, { ...attrs, inputSize });
  return bias ? add(y, reshape(bias, [-1, 1, 1])) : y;
}
