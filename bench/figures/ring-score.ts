import { UsageError } from "../../engine/errors.ts";

/** A ring about the origin: its radius is N(radius, thickness^2), its angle uniform. */
export interface Ring {
  weight: number;
  radius: number;
  /** Standard deviation of the radius; 0 for a circle. */
  thickness: number;
}

/** Nodes of the trapezoid rules: both integrands are smooth and die out, where the rule's error falls exponentially. */
const NODES = { radius: 21, angle: 160 };
/** Standard deviations of the radius that the rule covers. */
const REACH = 6;

/**
 * The score of rings blurred by N(0, sigma^2 I). At distance r from the origin a circle of radius R has the density
 * exp(-(r - R)^2 / (2 sigma^2)) I0e(r R / sigma^2) / (2 pi sigma^2), with the scaled Bessel functions
 * Ike(z) = exp(-z) Ik(z), and the score points along x with R I1(z) / I0(z) - r over sigma^2. [n, 2] -> [n, 2].
 * Throws UsageError unless sigma is above 0, for an unblurred circle has no density.
 */
export function ringScore(
  rings: readonly Ring[],
  sigma: number,
): (x: ArrayLike<number>) => Float64Array<ArrayBuffer> {
  if (!(sigma > 0 && Number.isFinite(sigma)))
    throw new UsageError(`ringScore: got sigma ${sigma}, expected a number above 0, for rings are thin`);
  const circles = rings.flatMap(circlesOf);
  return (x) => {
    const out = new Float64Array(x.length);
    for (let i = 0; i < x.length; i += 2) {
      const r = Math.hypot(x[i]!, x[i + 1]!);
      if (r === 0) continue; // the score vanishes there, by symmetry
      const inward = radialScore(circles, r, sigma);
      out[i] = (inward * x[i]!) / r;
      out[i + 1] = (inward * x[i + 1]!) / r;
    }
    return out;
  };
}

interface Circle {
  readonly weight: number;
  readonly radius: number;
}

/** A ring as circles of many radii, by the trapezoid rule. */
function circlesOf({ weight, radius, thickness }: Ring): Circle[] {
  if (thickness === 0) return [{ weight, radius }];
  const at = Array.from({ length: NODES.radius }, (_, k) => REACH * ((2 * k) / (NODES.radius - 1) - 1));
  const total = at.reduce((sum, z) => sum + Math.exp((-z * z) / 2), 0);
  return at.map((z) => ({
    weight: (weight * Math.exp((-z * z) / 2)) / total,
    radius: radius + thickness * z,
  }));
}

function radialScore(circles: readonly Circle[], r: number, sigma: number): number {
  let [density, slope] = [0, 0];
  const nearest = Math.min(...circles.map(({ radius }) => (r - radius) ** 2)); // keeps far points from underflow
  for (const { weight, radius } of circles) {
    const part = weight * Math.exp((nearest - (r - radius) ** 2) / (2 * sigma ** 2));
    if (part < 1e-17) continue;
    const [zeroth, first] = scaledBessel((r * radius) / sigma ** 2);
    density += part * zeroth;
    slope += (part * (radius * first - r * zeroth)) / sigma ** 2;
  }
  return slope / density;
}

/** exp(-z) I0(z) and exp(-z) I1(z): means over the half circle of exp(z (cos a - 1)) and of that times cos a. */
function scaledBessel(z: number): [zeroth: number, first: number] {
  let [zeroth, first] = [0, 0];
  for (let k = 0; k < NODES.angle; k++) {
    const cosine = COSINES[k]!;
    const value = Math.exp(z * (cosine - 1));
    zeroth += value;
    first += value * cosine;
  }
  return [zeroth / NODES.angle, first / NODES.angle];
}

/** Cosines of the midpoints: the same rule as the trapezoids' for what is even and periodic. */
const COSINES = Float64Array.from({ length: NODES.angle }, (_, k) =>
  Math.cos((Math.PI * (k + 0.5)) / NODES.angle),
);
