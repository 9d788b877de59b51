import { UsageError } from "../errors.ts";
import { showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { requireFloat } from "./require.ts";

/** Of the two axes of an image. */
export type Pair = readonly [y: number, x: number];
/** Rows and columns of zeros around an image; negative ones crop. */
export type Padding = readonly [top: number, bottom: number, left: number, right: number];

/** A convolution's geometry, spelt out: see ConvOptions. */
export interface ConvAttrs {
  readonly stride: Pair;
  readonly padding: Padding;
  readonly dilation: Pair;
}

/** A convolution's geometry as torch's conv2d has it. One number stands for both axes. */
export interface ConvOptions {
  /** Pixels from one window to the next; 1 unless told. */
  stride?: number | Pair;
  /** One number for all sides, [y, x], or [top, bottom, left, right]. Negative padding crops; 0 unless told. */
  padding?: number | Pair | Padding;
  /** Pixels from one tap to the next; 1 unless told. */
  dilation?: number | Pair;
}

/** Output length along one axis. */
const outLength = (
  size: number,
  before: number,
  after: number,
  k: number,
  stride: number,
  dilation: number,
): number => Math.floor((size + before + after - dilation * (k - 1) - 1) / stride) + 1;

export function outSize(
  [h, w]: Pair,
  [kh, kw]: Pair,
  { stride, padding: [t, b, l, r], dilation }: ConvAttrs,
): Pair {
  return [outLength(h, t, b, kh, stride[0], dilation[0]), outLength(w, l, r, kw, stride[1], dilation[1])];
}

export const sizeOf = (t: Tensor): Pair => [t.dim(2), t.dim(3)];

export const pair = (v: number | Pair): Pair => (typeof v === "number" ? [v, v] : v);

export function fourPads(p: number | Pair | Padding): Padding {
  if (typeof p === "number") return [p, p, p, p];
  return p.length === 2 ? [p[0], p[0], p[1], p[1]] : p;
}

/** `n`: how many samples may have a bias of their own. */
export function requireBias(who: string, bias: Tensor, co: number, n?: number): void {
  requireFloat(who, bias);
  const each = n !== undefined && bias.rank === 2 && bias.dim(0) === n;
  if (!(bias.rank === 1 || each) || bias.dim(-1) !== co)
    throw new UsageError(
      `${who}: got bias ${showShape(bias.shape)}, expected [${co}]${n === undefined ? "" : ` or [${n},${co}]`}`,
    );
}

export function requireConv(who: string, x: Tensor, weight: Tensor, options: ConvOptions): ConvAttrs {
  requireFloat(who, x);
  requireFloat(who, weight);
  if (x.rank !== 4 || weight.rank !== 4)
    throw new UsageError(
      `${who}: got x ${showShape(x.shape)}, weight ${showShape(weight.shape)}, expected rank 4 both`,
    );
  const attrs = {
    stride: pair(options.stride ?? 1),
    padding: fourPads(options.padding ?? 0),
    dilation: pair(options.dilation ?? 1),
  };
  requireGeometry(who, attrs);
  return attrs;
}

/** Throws UsageError for strides and dilations below 1, where something is not whole, and for lists of other lengths. */
export function requireGeometry(who: string, { stride, padding, dilation }: ConvAttrs): void {
  requireLengths(who, { stride, dilation });
  requirePadding(who, padding);
}

/** Throws UsageError unless there are four whole numbers of at least `least`. */
export function requirePadding(who: string, padding: Padding, least = -Infinity): void {
  if (!Array.isArray(padding) || padding.length !== 4)
    throw new UsageError(
      `${who}: got padding [${padding}], expected a number, [y,x] or [top,bottom,left,right]`,
    );
  if (padding.some((v) => !Number.isInteger(v) || v < least))
    throw new UsageError(
      `${who}: got padding [${padding}], expected whole numbers${least > -Infinity ? ` from ${least}` : ""}`,
    );
}

/** Throws UsageError unless all are two whole numbers of at least 1. */
export function requireLengths(who: string, lengths: Readonly<Record<string, Pair>>): void {
  for (const [name, pair] of Object.entries(lengths))
    if (!Array.isArray(pair) || pair.length !== 2 || pair.some((v) => !Number.isInteger(v) || v < 1))
      throw new UsageError(`${who}: got ${name} [${pair}], expected [y,x] of whole numbers from 1`);
}
