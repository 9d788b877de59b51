import { type Array64, map, scalar, zeros, zip } from "./array.ts";

export interface UpdateNumbers {
  readonly keep: number;
  readonly pull: number;
  readonly noise: number;
}

/** keep x + pull score + noise z, all of one shape. A Langevin step of size e has 1, e / 2 and sqrt(e). */
export function linearUpdate(
  x: Array64,
  score: Array64,
  z: Array64,
  { keep, pull, noise }: UpdateNumbers,
): Array64 {
  return map(x, (value, i) => keep * value + pull * score.data[i]! + noise * z.data[i]!);
}

/** (mean |z| / mean |score|)^2 over the samples of z and score [n, ...]. */
export function normRatio(z: Array64, score: Array64): number {
  return (sumOfNorms(z) / sumOfNorms(score)) ** 2;
}

/** (|z| / |score|)^2 of each sample of z and score [n, ...]. -> [n] */
export function normRatios(z: Array64, score: Array64): Array64 {
  const [above, below] = [norms(z), norms(score)];
  return { shape: [above.length], data: Float64Array.from(above, (norm, i) => (norm / below[i]!) ** 2) };
}

const sumOfNorms = (x: Array64): number => norms(x).reduce((total, norm) => total + norm, 0);

function norms({ shape, data }: Array64): number[] {
  const size = data.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, n) => Math.hypot(...data.subarray(n * size, (n + 1) * size)));
}

export interface AdamState {
  readonly param: Array64;
  readonly m: Array64;
  readonly v: Array64;
  /** Moving average of the parameter, or null to keep none. */
  readonly ema: Array64 | null;
}

export interface AdamAttrs {
  readonly lr: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** 1 for the first update. */
  readonly step: number;
  readonly emaDecay: number;
  /** Multiplies the gradient before anything else. */
  readonly clipScale: number;
}

/**
 * One step of Adam (Kingma & Ba 2015) as PyTorch does it: weight decay joins the gradient, eps stands outside
 * the root, and the average follows the new parameter. All arrays of one shape.
 */
export function adam(
  { param, grad, m, v, ema }: AdamState & { readonly grad: Array64 },
  attrs: AdamAttrs,
): AdamState {
  const { lr, beta1, beta2, eps, weightDecay, step, emaDecay, clipScale } = attrs;
  const g = zip(grad, param, (dw, w) => clipScale * dw + weightDecay * w);
  const newM = zip(m, g, (old, value) => beta1 * old + (1 - beta1) * value);
  const newV = zip(v, g, (old, value) => beta2 * old + (1 - beta2) * value ** 2);

  const newParam = map(param, (w, i) => {
    const mHat = newM.data[i]! / (1 - beta1 ** step);
    const vHat = newV.data[i]! / (1 - beta2 ** step);
    return w - (lr * mHat) / (Math.sqrt(vHat) + eps);
  });
  const newEma = ema && zip(ema, newParam, (shadow, w) => shadow - (1 - emaDecay) * (shadow - w));
  return { param: newParam, m: newM, v: newV, ema: newEma };
}

export interface SgdState {
  readonly param: Array64;
  /** Momentum buffer, zeros before the first step. */
  readonly buffer: Array64;
}

/** Gradient descent with momentum as PyTorch does it: buffer = momentum buffer + g, param -= lr buffer. */
export function sgd(
  { param, grad, buffer }: SgdState & { readonly grad: Array64 },
  {
    lr,
    momentum,
    weightDecay,
  }: { readonly lr: number; readonly momentum: number; readonly weightDecay: number },
): SgdState {
  const g = zip(grad, param, (dw, w) => dw + weightDecay * w);
  const newBuffer = zip(buffer, g, (old, value) => momentum * old + value);
  return { param: zip(param, newBuffer, (w, direction) => w - lr * direction), buffer: newBuffer };
}

/** sigma[n] for the element at a flat offset of an array [N, ...]. */
export function sigmaAt(sigma: Array64, x: Array64, flat: number): number {
  const sampleSize = x.data.length / x.shape[0]!;
  return sigma.data[Math.floor(flat / sampleSize)]!;
}

/** x + sigma z. x, z [N, ...], sigma [N]. */
export function dsmPerturb(x: Array64, sigma: Array64, z: Array64): Array64 {
  return map(x, (value, i) => value + sigmaAt(sigma, x, i) * z.data[i]!);
}

/**
 * Denoising score matching, target -z / sigma: the mean over n of 1/2 sum (score + z / sigma)^2
 * sigma^annealPower. score, z [N, ...], sigma [N] -> []. Vincent 2011; Song & Ermon 2019, eq. 5.
 */
export function dsmLoss(
  score: Array64,
  z: Array64,
  sigma: Array64,
  attrs: { readonly annealPower: number },
): Array64 {
  const each = dsmLossPerSample(score, z, sigma, attrs);
  return scalar(each.data.reduce((total, term) => total + term, 0) / score.shape[0]!);
}

/** The loss of each sample, [n]. */
export function dsmLossPerSample(
  score: Array64,
  z: Array64,
  sigma: Array64,
  { annealPower }: { readonly annealPower: number },
): Array64 {
  const each = zeros([score.shape[0]!]);
  const size = score.data.length / score.shape[0]!;
  score.data.forEach((s, i) => {
    const std = sigmaAt(sigma, score, i);
    each.data[Math.floor(i / size)]! += 0.5 * (s + z.data[i]! / std) ** 2 * std ** annealPower;
  });
  return each;
}
