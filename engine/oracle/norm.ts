import { type Array64, fourOf, zeros } from "./array.ts";
import { type UnaryAttrs, type UnaryFunction, unary, unaryGrad } from "./unary.ts";

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
type Parameter = Array64 | null;

export interface NormGrads {
  readonly dx: Array64;
  readonly dgamma: Array64 | null;
  readonly dbeta: Array64 | null;
  readonly dalpha: Array64 | null;
}

/** All a group of one sample shares. */
interface Group {
  /** Offset of its first element, and how many there are: (C / groups) H W. */
  readonly start: number;
  readonly size: number;
  readonly mean: number;
  /** 1 / sqrt(variance + eps). */
  readonly rstd: number;
}

function groupsOf(x: Array64, { groups, eps, unbiased = false }: NormAttrs): Group[] {
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
function normalised(x: Array64, attrs: NormAttrs): Array64 {
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
function normalisedMeans(x: Array64, { plus, eps }: NormAttrs): { u: Float64Array; rstd: Float64Array } {
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
function at(parameter: Array64, nc: number): number {
  return nc % parameter.data.length;
}

function read(parameter: Parameter, nc: number, absent: number): number {
  return parameter ? parameter.data[at(parameter, nc)]! : absent;
}

const identity: UnaryFunction = (z) => z;
const one: UnaryFunction = () => 1;

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

/**
 * Gradients of norm for the cotangent dy [N,C,H,W]; those of parameters have their shapes, null where null.
 */
export function normGrad(
  x: Array64,
  dy: Array64,
  attrs: NormAttrs,
  gamma: Parameter,
  beta: Parameter,
  alpha: Parameter,
): NormGrads {
  const [, , H, W] = fourOf(x);
  const xhat = normalised(x, attrs);
  const means = normalisedMeans(x, attrs);
  const actGrad: UnaryFunction = attrs.activation === "none" ? one : unaryGrad[attrs.activation];

  const dgamma = gamma && zeros(gamma.shape);
  const dbeta = beta && zeros(beta.shape);
  const dalpha = alpha && zeros(alpha.shape);
  const dxhat = zeros(x.shape);
  const du = new Float64Array(means.u.length);

  dy.data.forEach((cotangent, i) => {
    const nc = Math.floor(i / (H * W));
    const scale = read(gamma, nc, 1);
    const weight = read(alpha, nc, 1);
    const h = xhat.data[i]! + weight * means.u[nc]!;
    const dz = cotangent * actGrad(scale * h + read(beta, nc, 0), { slope: attrs.slope });

    if (dgamma) dgamma.data[at(dgamma, nc)]! += dz * h;
    if (dbeta) dbeta.data[at(dbeta, nc)]! += dz;
    if (dalpha) dalpha.data[at(dalpha, nc)]! += dz * scale * means.u[nc]!;
    dxhat.data[i] = dz * scale;
    du[nc]! += dz * scale * weight;
  });

  const dx = zeros(x.shape);
  addThroughGroups(dx, x, dxhat, attrs);
  addThroughMeans(dx, du, means);
  return { dx, dgamma, dbeta, dalpha };
}

/**
 * dx += the pull-back of dxhat through xhat = (x - mean) rstd, rstd = (squares / D + eps)^(-1/2): rstd moves
 * by -(x - mean) rstd^3 / D, and mean, where it is subtracted, by 1 / size.
 */
function addThroughGroups(dx: Array64, x: Array64, dxhat: Array64, attrs: NormAttrs): void {
  const centred = attrs.meanSubtract ?? true;
  for (const { start, size, mean, rstd } of groupsOf(x, attrs)) {
    const shift = centred ? mean : 0;
    const D = attrs.unbiased ? size - 1 : size;
    let sum = 0;
    let drstd = 0;
    for (let i = start; i < start + size; i++) {
      sum += dxhat.data[i]!;
      drstd += dxhat.data[i]! * (x.data[i]! - shift);
    }
    for (let i = start; i < start + size; i++) {
      dx.data[i]! += rstd * (dxhat.data[i]! - (centred ? sum / size : 0));
      dx.data[i]! -= (drstd * rstd ** 3 * (x.data[i]! - mean)) / D;
    }
  }
}

/**
 * dx += the pull-back of du through u = (mu - m) rstd over the C channels of each sample:
 * dmu_c = rstd (du_c - mean_k du_k - u_c sum_k du_k u_k / (C - 1)), spread evenly over the pixels of map c.
 */
function addThroughMeans(
  dx: Array64,
  du: Float64Array,
  { u, rstd }: { u: Float64Array; rstd: Float64Array },
): void {
  const [batch, channels, H, W] = fourOf(dx);
  if (channels === 1) return;

  for (let n = 0; n < batch; n++) {
    let sum = 0;
    let along = 0;
    for (let nc = n * channels; nc < (n + 1) * channels; nc++) {
      sum += du[nc]!;
      along += du[nc]! * u[nc]!;
    }
    for (let nc = n * channels; nc < (n + 1) * channels; nc++) {
      const dmu = rstd[n]! * (du[nc]! - sum / channels - (u[nc]! * along) / (channels - 1));
      for (let i = nc * H * W; i < (nc + 1) * H * W; i++) dx.data[i]! += dmu / (H * W);
    }
  }
}
