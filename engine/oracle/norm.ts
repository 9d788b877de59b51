import { type Array64, fourOf, zeros } from "./array.ts";
import { type UnaryAttrs, type UnaryFunction, unary } from "./unary.ts";

export type NormActivation = "none" | "elu" | "silu" | "relu" | "leakyRelu";

export interface NormAttrs {
  /** C for instance norm, 1 for layer norm over an image. */
  readonly groups: number;
  /** Stands inside both roots: of the group's variance and of the variance of the channel means. */
  readonly eps: number;
  readonly activation: NormActivation;
  /** Of leakyRelu. */
  readonly slope?: number;
  /** InstanceNorm++: adds alpha * u, u the channel means normalised over the channels of a sample. */
  readonly plus: boolean;
  /**
   * false leaves the mean in x (variance norm); the variance is about the mean all the same. Default true.
   */
  readonly meanSubtract?: boolean;
  /** true divides the group's variance by its size - 1, as NCSNv2's variance norm does. Default false. */
  readonly unbiased?: boolean;
}

/** Any of the three is [C], or [N,C] to condition on the sample, or null: gamma and alpha 1, beta 0. */
export type Parameter = Array64 | null;

/** All a group of one sample shares. */
interface Group {
  /** Offset of its first element, and how many there are: (C / groups) H W. */
  readonly start: number;
  readonly size: number;
  readonly mean: number;
  /** 1 / sqrt(variance + eps). */
  readonly rstd: number;
}

/** x [N,C,H,W] -> the groups of each sample. Throws RangeError where they do not share the channels evenly. */
export function groupsOf(x: Array64, { groups, eps, unbiased = false }: NormAttrs): Group[] {
  const [batch, channels, H, W] = fourOf(x);
  const size = (channels / groups) * H * W;
  if (!Number.isInteger(channels / groups)) {
    throw new RangeError(`norm: ${channels} channels in ${groups} groups`);
  }

  return Array.from({ length: batch * groups }, (_, group) => {
    const values = x.data.subarray(group * size, (group + 1) * size);
    const { mean, squares } = spread(values);
    const rstd = 1 / Math.sqrt(squares / (unbiased ? size - 1 : size) + eps);
    return { start: group * size, size, mean, rstd };
  });
}

/** Mean, and the sum of the squared distances from it. */
function spread(values: Float64Array): { mean: number; squares: number } {
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const squares = values.reduce((total, value) => total + (value - mean) ** 2, 0);
  return { mean, squares };
}

/** x-hat, same shape as x: (x - mean) rstd, or x rstd without mean subtraction. */
export function normalised(x: Array64, attrs: NormAttrs): Array64 {
  const xhat = zeros(x.shape);
  for (const { start, size, mean, rstd } of groupsOf(x, attrs)) {
    const shift = (attrs.meanSubtract ?? true) ? mean : 0;
    for (let i = start; i < start + size; i++) xhat.data[i] = (x.data[i]! - shift) * rstd;
  }
  return xhat;
}

/**
 * u [N,C] and rstd [N]: u = (mu - m) rstd, rstd = 1/sqrt(v + eps), where mu is the mean of a map, m and v
 * mean and unbiased variance of mu over the channels of a sample. Both zero without `plus` and for one
 * channel.
 */
export function normalisedMeans(
  x: Array64,
  { plus, eps }: NormAttrs,
): { u: Float64Array; rstd: Float64Array } {
  const [batch, channels, H, W] = fourOf(x);
  const u = new Float64Array(batch * channels);
  const rstd = new Float64Array(batch);
  if (!plus || channels === 1) return { u, rstd };

  const mu = u.map((_, nc) => spread(x.data.subarray(nc * H * W, (nc + 1) * H * W)).mean);
  for (let n = 0; n < batch; n++) {
    const { mean, squares } = spread(mu.subarray(n * channels, (n + 1) * channels));
    rstd[n] = 1 / Math.sqrt(squares / (channels - 1) + eps);
    for (let nc = n * channels; nc < (n + 1) * channels; nc++) u[nc] = (mu[nc]! - mean) * rstd[n]!;
  }
  return { u, rstd };
}

/** Position in a [C] or [N,C] parameter of map nc = n * C + c. */
export function at(parameter: Array64, nc: number): number {
  return nc % parameter.data.length;
}

/** A parameter's value for map nc; `absent` where there is none. */
export function read(parameter: Parameter, nc: number, absent: number): number {
  return parameter ? parameter.data[at(parameter, nc)]! : absent;
}

const identity: UnaryFunction = (z) => z;

/**
 * Instance norm, group norm, layer norm, InstanceNorm++ (Song & Ermon 2019) and variance norm with their
 * activation. x [N,C,H,W] -> y = act(gamma (xhat + alpha u) + beta), same shape; u = 0 without `plus`.
 */
export function norm(
  x: Array64,
  attrs: NormAttrs,
  gamma: Parameter,
  beta: Parameter,
  alpha: Parameter,
): Array64 {
  const [, , H, W] = fourOf(x);
  const xhat = normalised(x, attrs);
  const { u } = normalisedMeans(x, attrs);
  const act: UnaryFunction = attrs.activation === "none" ? identity : unary[attrs.activation];
  const actAttrs: UnaryAttrs = { slope: attrs.slope };

  const y = zeros(x.shape);
  y.data.forEach((_, i) => {
    const nc = Math.floor(i / (H * W));
    const h = xhat.data[i]! + read(alpha, nc, 1) * u[nc]!;
    y.data[i] = act(read(gamma, nc, 1) * h + read(beta, nc, 0), actAttrs);
  });
  return y;
}
