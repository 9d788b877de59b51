import { type Array64, fourOf, requireShape, zeros } from "./array.ts";
import { type Pads, type Pair, windowCount } from "./window.ts";

export interface PoolAttrs {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pads;
}

export interface AvgPoolAttrs extends PoolAttrs {
  /** true: divide by the size of the window; false: by the number of its pixels inside the image. */
  readonly countIncludePad: boolean;
}

/** [N,C,H',W'] of the windows over [N,C,H,W]. */
function pooledShape(batch: number, channels: number, [H, W]: Pair, attrs: PoolAttrs): number[] {
  const [top, bottom, left, right] = attrs.padding;
  return [
    batch,
    channels,
    windowCount(H, top, bottom, attrs.kernel[0], attrs.stride[0]),
    windowCount(W, left, right, attrs.kernel[1], attrs.stride[1]),
  ];
}

/** Flat offsets h*W+w of the pixels of window (oh, ow) that lie inside an HxW image, in row-major order. */
function windowPixels(
  oh: number,
  ow: number,
  [H, W]: Pair,
  { kernel, stride, padding }: PoolAttrs,
): number[] {
  const pixels: number[] = [];
  for (let i = 0; i < kernel[0]; i++) {
    for (let j = 0; j < kernel[1]; j++) {
      const h = oh * stride[0] + i - padding[0];
      const w = ow * stride[1] + j - padding[2];
      if (h >= 0 && h < H && w >= 0 && w < W) pixels.push(h * W + w);
    }
  }
  return pixels;
}

/**
 * Visits the windows of every map: `out` is an offset in [N,C,H',W'], `map` the start of the map in
 * [N,C,H,W].
 */
function forEachWindow(
  pooled: readonly number[],
  size: Pair,
  attrs: PoolAttrs,
  visit: (out: number, map: number, pixels: readonly number[]) => void,
): void {
  const [batch, channels, outH, outW] = pooled as [number, number, number, number];
  for (let oh = 0; oh < outH; oh++) {
    for (let ow = 0; ow < outW; ow++) {
      const pixels = windowPixels(oh, ow, size, attrs);
      for (let nc = 0; nc < batch * channels; nc++) {
        visit((nc * outH + oh) * outW + ow, nc * size[0] * size[1], pixels);
      }
    }
  }
}

/**
 * What a window's sum is divided by; a window wholly in the padding has sum 0, its divisor does not matter.
 */
function divisor(pixels: readonly number[], { kernel, countIncludePad }: AvgPoolAttrs): number {
  return countIncludePad ? kernel[0] * kernel[1] : Math.max(pixels.length, 1);
}

/** x [N,C,H,W] -> [N,C,H',W'], mean over each window. */
export function avgPool2d(x: Array64, attrs: AvgPoolAttrs): Array64 {
  const [batch, channels, H, W] = fourOf(x);
  const y = zeros(pooledShape(batch, channels, [H, W], attrs));
  forEachWindow(y.shape, [H, W], attrs, (out, map, pixels) => {
    for (const pixel of pixels) y.data[out]! += x.data[map + pixel]! / divisor(pixels, attrs);
  });
  return y;
}

/** Adjoint of avgPool2d: dy [N,C,H',W'] -> dx [N,C,H,W]. */
export function avgPool2dGrad(dy: Array64, attrs: AvgPoolAttrs & { readonly inputSize: Pair }): Array64 {
  const [batch, channels] = fourOf(dy);
  requireShape("avgPool2dGrad", dy, pooledShape(batch, channels, attrs.inputSize, attrs));
  const dx = zeros([batch, channels, ...attrs.inputSize]);
  forEachWindow(dy.shape, attrs.inputSize, attrs, (out, map, pixels) => {
    for (const pixel of pixels) dx.data[map + pixel]! += dy.data[out]! / divisor(pixels, attrs);
  });
  return dx;
}

/**
 * x [N,C,H,W] -> y and index, both [N,C,H',W']; index = h*W+w of the window's first maximum in row-major
 * order. Padding never wins; a window wholly in the padding gives -Infinity and index -1.
 */
export function maxPool2d(x: Array64, attrs: PoolAttrs): { y: Array64; index: Array64 } {
  const [batch, channels, H, W] = fourOf(x);
  const y = zeros(pooledShape(batch, channels, [H, W], attrs));
  const index = zeros(y.shape);

  forEachWindow(y.shape, [H, W], attrs, (out, map, pixels) => {
    y.data[out] = Number.NEGATIVE_INFINITY;
    index.data[out] = -1;
    for (const pixel of pixels) {
      if (x.data[map + pixel]! <= y.data[out]!) continue;
      y.data[out] = x.data[map + pixel]!;
      index.data[out] = pixel;
    }
  });
  return { y, index };
}

/** dy, index [N,C,H',W'] -> dx [N,C,H,W]: each dy goes to the pixel that won. */
export function maxPool2dGrad(dy: Array64, index: Array64, inputSize: Pair): Array64 {
  const [batch, channels, outH, outW] = fourOf(dy);
  requireShape("maxPool2dGrad", index, dy.shape);
  const dx = zeros([batch, channels, ...inputSize]);
  dy.data.forEach((value, out) => {
    const map = Math.floor(out / (outH * outW)) * inputSize[0] * inputSize[1];
    if (index.data[out]! >= 0) dx.data[map + index.data[out]!]! += value;
  });
  return dx;
}

/**
 * Places h*W+w in maps [H,W] of maxima at stride 1 -> [N,C,H',W'], from marks [N,C,H',W'/4] of four bytes each, lowest
 * first: 16 a + b for row a and column b of a window.
 */
export function markedPlaces(
  marks: Array64,
  { padding: [top, , left] }: Pick<PoolAttrs, "padding">,
  [, W]: Pair,
): Array64 {
  const [batch, channels, outH, words] = fourOf(marks);
  const index = zeros([batch, channels, outH, 4 * words]);
  for (let i = 0; i < index.data.length; i++) {
    const mark = Math.floor(marks.data[Math.floor(i / 4)]! / 256 ** (i % 4)) % 256;
    const [oh, ow] = [Math.floor(i / (4 * words)) % outH, i % (4 * words)];
    index.data[i] = (oh - top + Math.floor(mark / 16)) * W + ow - left + (mark % 16);
  }
  return index;
}
