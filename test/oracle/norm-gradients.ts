import { type Array64, fourOf, zeros } from "../../engine/oracle/array.ts";
import {
  at,
  groupsOf,
  type NormAttrs,
  normalised,
  normalisedMeans,
  type Parameter,
  read,
} from "../../engine/oracle/norm.ts";
import type { UnaryFunction } from "../../engine/oracle/unary.ts";
import { unaryGrad } from "./gradients.ts";

export interface NormGrads {
  readonly dx: Array64;
  readonly dgamma: Array64 | null;
  readonly dbeta: Array64 | null;
  readonly dalpha: Array64 | null;
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
  const actGrad: UnaryFunction = attrs.activation === "none" ? () => 1 : unaryGrad[attrs.activation];

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
