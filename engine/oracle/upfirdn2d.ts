import { type Array64, fourOf, zeros } from "./array.ts";
import { type Pads, type Pair, windowCount } from "./window.ts";

export interface Upfirdn2dAttrs {
  readonly up: Pair;
  readonly down: Pair;
  readonly pad: Pads;
}

/**
 * Visits every term kernel[kAt] * x[xAt] of y[yAt]. Along one axis: x gets up - 1 zeros after each sample,
 * then pads; y[o] = sum_t flipped[t] padded[o * down + t], where padded[p] is x[(p - before) / up], or zero
 * if that is no position in x.
 */
export function forEachTerm(
  y: Array64,
  kernel: Array64,
  x: Array64,
  { up, down, pad }: Upfirdn2dAttrs,
  visit: (yAt: number, kAt: number, xAt: number) => void,
): void {
  const [batch, channels, outH, outW] = fourOf(y);
  const [, , H, W] = fourOf(x);
  const [kh, kw] = kernel.shape as [number, number];
  const [top, , left] = pad;

  for (let nc = 0; nc < batch * channels; nc++)
    for (let oh = 0; oh < outH; oh++)
      for (let ow = 0; ow < outW; ow++)
        for (let i = 0; i < kh; i++)
          for (let j = 0; j < kw; j++) {
            const ih = (oh * down[0] + i - top) / up[0];
            const iw = (ow * down[1] + j - left) / up[1];
            const sampled = Number.isInteger(ih) && Number.isInteger(iw);
            if (!sampled || ih < 0 || ih >= H || iw < 0 || iw >= W) continue;
            visit(
              (nc * outH + oh) * outW + ow,
              (kh - 1 - i) * kw + (kw - 1 - j), // flipped on both axes
              (nc * H + ih) * W + iw,
            );
          }
}

/**
 * Upsample by zeros, pad or crop, filter with a true convolution, keep every down-th sample (StyleGAN2).
 * x [N,C,H,W], kernel [kh,kw] -> [N,C,H',W'], H' = floor((H * up + top + bottom - kh) / down) + 1.
 */
export function upfirdn2d(x: Array64, kernel: Array64, attrs: Upfirdn2dAttrs): Array64 {
  const [batch, channels, H, W] = fourOf(x);
  const [kh, kw] = kernel.shape as [number, number];
  const [top, bottom, left, right] = attrs.pad;
  const y = zeros([
    batch,
    channels,
    windowCount(H * attrs.up[0], top, bottom, kh, attrs.down[0]),
    windowCount(W * attrs.up[1], left, right, kw, attrs.down[1]),
  ]);
  forEachTerm(y, kernel, x, attrs, (yAt, kAt, xAt) => {
    y.data[yAt]! += kernel.data[kAt]! * x.data[xAt]!;
  });
  return y;
}
