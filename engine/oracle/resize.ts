import { type Array64, fourOf, zeros } from "./array.ts";
import type { Pair } from "./window.ts";

export interface ResizeBilinearAttrs {
  /** Height and width of the result. */
  readonly size: Pair;
  readonly alignCorners: boolean;
}

/** One contribution to an output coordinate: an input coordinate and its weight. */
interface Source {
  readonly at: number;
  readonly weight: number;
}

/**
 * Inputs that make output i of a line resized from `input` to `output` samples (PyTorch interpolate).
 * alignCorners: end samples coincide; else samples are cells with centres at i + 1/2, clamped at 0.
 */
function bilinearSources(i: number, input: number, output: number, alignCorners: boolean): Source[] {
  const aligned = output > 1 ? (i * (input - 1)) / (output - 1) : 0;
  const position = alignCorners ? aligned : Math.max(((i + 0.5) * input) / output - 0.5, 0);
  const low = Math.floor(position);
  const high = Math.min(low + 1, input - 1);
  return [
    { at: low, weight: 1 - (position - low) },
    { at: high, weight: position - low },
  ];
}

function nearestSources(i: number, input: number, output: number): Source[] {
  return [{ at: Math.floor((i * input) / output), weight: 1 }];
}

/** Visits every term weight * x[xAt] of y[yAt] of a separable resize from the size of x to the size of y. */
function forEachTerm(
  x: Array64,
  y: Array64,
  sources: (i: number, input: number, output: number) => Source[],
  visit: (yAt: number, xAt: number, weight: number) => void,
): void {
  const [batch, channels, H, W] = fourOf(x);
  const [, , outH, outW] = fourOf(y);
  for (let nc = 0; nc < batch * channels; nc++)
    for (let oh = 0; oh < outH; oh++)
      for (let ow = 0; ow < outW; ow++)
        for (const row of sources(oh, H, outH))
          for (const column of sources(ow, W, outW)) {
            visit(
              (nc * outH + oh) * outW + ow,
              (nc * H + row.at) * W + column.at,
              row.weight * column.weight,
            );
          }
}

/** x [N,C,H,W] -> [N,C,...size]. */
export function resizeBilinear(x: Array64, { size, alignCorners }: ResizeBilinearAttrs): Array64 {
  const y = zeros([x.shape[0]!, x.shape[1]!, ...size]);
  const sources = (i: number, input: number, output: number) =>
    bilinearSources(i, input, output, alignCorners);
  forEachTerm(x, y, sources, (yAt, xAt, weight) => {
    y.data[yAt]! += weight * x.data[xAt]!;
  });
  return y;
}

/** Adjoint of resizeBilinear: dy [N,C,...size] -> dx [N,C,...inputSize]. */
export function resizeBilinearGrad(
  dy: Array64,
  attrs: ResizeBilinearAttrs & { readonly inputSize: Pair },
): Array64 {
  const dx = zeros([dy.shape[0]!, dy.shape[1]!, ...attrs.inputSize]);
  const sources = (i: number, input: number, output: number) =>
    bilinearSources(i, input, output, attrs.alignCorners);
  forEachTerm(dx, dy, sources, (yAt, xAt, weight) => {
    dx.data[xAt]! += weight * dy.data[yAt]!;
  });
  return dx;
}

/** x [N,C,H,W] -> [N,C,...size], y[i] = x[floor(i * in / out)]. */
export function resizeNearest(x: Array64, { size }: { readonly size: Pair }): Array64 {
  const y = zeros([x.shape[0]!, x.shape[1]!, ...size]);
  forEachTerm(x, y, nearestSources, (yAt, xAt) => {
    y.data[yAt] = x.data[xAt]!;
  });
  return y;
}

/** Adjoint of resizeNearest: dy [N,C,...size] -> dx [N,C,...inputSize]. */
export function resizeNearestGrad(dy: Array64, { inputSize }: { readonly inputSize: Pair }): Array64 {
  const dx = zeros([dy.shape[0]!, dy.shape[1]!, ...inputSize]);
  forEachTerm(dx, dy, nearestSources, (yAt, xAt) => {
    dx.data[xAt]! += dy.data[yAt]!;
  });
  return dx;
}
