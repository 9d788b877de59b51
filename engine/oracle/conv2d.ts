import { type Array64, fourOf, map, zeros } from "./array.ts";
import { type Pads, type Pair, windowCount } from "./window.ts";

export interface Conv2dAttrs {
  readonly stride: Pair;
  readonly padding: Pads;
  readonly dilation: Pair;
}

/** Offsets of one product of the convolution: w[co,ci,i,j] * x[n,ci,ih,iw] goes into y[n,co,oh,ow]. */
type Visit = (y: number, w: number, x: number) => void;

/**
 * Visits every product of the convolution: those whose ih = oh * stride + i * dilation - top lies inside x,
 * likewise iw. The three ops below are this one trilinear sum with two of its arguments given.
 */
function forEachProduct(y: Array64, w: Array64, x: Array64, attrs: Conv2dAttrs, visit: Visit): void {
  const [batch, outChannels, outH, outW] = fourOf(y);
  const [, inChannels, kh, kw] = fourOf(w);
  const [, , H, W] = fourOf(x);
  const [strideH, strideW] = attrs.stride;
  const [dilationH, dilationW] = attrs.dilation;
  const [top, , left] = attrs.padding;
  checkShapes(y, w, x);

  for (let n = 0; n < batch; n++)
    for (let co = 0; co < outChannels; co++)
      for (let oh = 0; oh < outH; oh++)
        for (let ow = 0; ow < outW; ow++)
          for (let ci = 0; ci < inChannels; ci++)
            for (let i = 0; i < kh; i++)
              for (let j = 0; j < kw; j++) {
                const ih = oh * strideH + i * dilationH - top;
                const iw = ow * strideW + j * dilationW - left;
                if (ih < 0 || ih >= H || iw < 0 || iw >= W) continue;
                visit(
                  ((n * outChannels + co) * outH + oh) * outW + ow,
                  ((co * inChannels + ci) * kh + i) * kw + j,
                  ((n * inChannels + ci) * H + ih) * W + iw,
                );
              }
}

function checkShapes(y: Array64, w: Array64, x: Array64): void {
  if (x.shape[1] !== w.shape[1] || y.shape[1] !== w.shape[0] || y.shape[0] !== x.shape[0]) {
    throw new RangeError(
      `conv2d: x [${x.shape}], weight [${w.shape}], y [${y.shape}] do not belong together`,
    );
  }
}

/** x [N,Ci,H,W], w [Co,Ci,kh,kw], bias [Co] or [N,Co] or null -> [N,Co,H',W']. Cross-correlation, as in PyTorch. */
export function conv2d(x: Array64, w: Array64, bias: Array64 | null, attrs: Conv2dAttrs): Array64 {
  const [batch, , H, W] = fourOf(x);
  const [outChannels, , kh, kw] = fourOf(w);
  const [top, bottom, left, right] = attrs.padding;
  const outH = windowCount(H, top, bottom, attrs.dilation[0] * (kh - 1) + 1, attrs.stride[0]);
  const outW = windowCount(W, left, right, attrs.dilation[1] * (kw - 1) + 1, attrs.stride[1]);

  const y = zeros([batch, outChannels, outH, outW]);
  if (bias) {
    y.data.forEach((_, flat) => {
      y.data[flat] = bias.data[Math.floor(flat / (outH * outW)) % bias.data.length]!;
    });
  }
  forEachProduct(y, w, x, attrs, (yAt, wAt, xAt) => {
    y.data[yAt]! += w.data[wAt]! * x.data[xAt]!;
  });
  return y;
}

/** (y + residual) rescale, y and residual of one shape. */
export function addRescaled(y: Array64, residual: Array64, rescale: number): Array64 {
  return map(y, (v, i) => (v + residual.data[i]!) * rescale);
}

/**
 * Adjoint of conv2d in x: dy [N,Co,H',W'], w [Co,Ci,kh,kw] -> dx [N,Ci,H,W]. Also the transposed convolution.
 */
export function conv2dInputGrad(
  dy: Array64,
  w: Array64,
  attrs: Conv2dAttrs & { readonly inputSize: Pair },
): Array64 {
  const dx = zeros([dy.shape[0]!, w.shape[1]!, ...attrs.inputSize]);
  forEachProduct(dy, w, dx, attrs, (yAt, wAt, xAt) => {
    dx.data[xAt]! += dy.data[yAt]! * w.data[wAt]!;
  });
  return dx;
}

/** Adjoint of conv2d in w: dy [N,Co,H',W'], x [N,Ci,H,W] -> dw [Co,Ci,kh,kw]. */
export function conv2dWeightGrad(
  dy: Array64,
  x: Array64,
  attrs: Conv2dAttrs & { readonly kernelSize: Pair },
): Array64 {
  const dw = zeros([dy.shape[1]!, x.shape[1]!, ...attrs.kernelSize]);
  forEachProduct(dy, dw, x, attrs, (yAt, wAt, xAt) => {
    dw.data[wAt]! += dy.data[yAt]! * x.data[xAt]!;
  });
  return dw;
}
