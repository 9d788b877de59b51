import { UsageError } from "../../engine/errors.ts";
import { normalBetween, normalDensity } from "../../train/techniques/normal.ts";

/** Left and lower edges of the dark squares of the toy's board, each 2 wide. */
const SQUARES = [-4, -2, 0, 2].flatMap((left) =>
  [-4, 0].map((bottom) => [left, bottom + ((left / 2) & 1 ? 2 : 0)] as const),
);
const SIDE = 2;

/**
 * The score of the checkerboard blurred by N(0, sigma^2 I). A blurred square's density is a product over the axes of
 * Phi((x - a) / sigma) - Phi((x - a - 2) / sigma), so that density and gradient are sums of such products.
 * [n, 2] -> [n, 2]. Throws UsageError unless sigma is above 0, for the board's density has edges.
 */
export function boardScore(sigma: number): (x: ArrayLike<number>) => Float64Array<ArrayBuffer> {
  if (!(sigma > 0 && Number.isFinite(sigma)))
    throw new UsageError(`boardScore: got sigma ${sigma}, expected a number above 0, for squares have edges`);
  return (x) => {
    const out = new Float64Array(x.length);
    for (let i = 0; i < x.length; i += 2) {
      let [density, slopeX, slopeY] = [0, 0, 0];
      for (const [left, bottom] of SQUARES) {
        const [px, dx] = blurredEdge(x[i]! - left, sigma);
        const [py, dy] = blurredEdge(x[i + 1]! - bottom, sigma);
        density += px * py;
        slopeX += dx * py;
        slopeY += px * dy;
      }
      out[i] = slopeX / density;
      out[i + 1] = slopeY / density;
    }
    return out;
  };
}

/** The blurred indicator of [0, 2] at t, and its derivative. */
function blurredEdge(t: number, sigma: number): [value: number, slope: number] {
  const [far, near] = [(t - SIDE) / sigma, t / sigma];
  return [normalBetween(far, near), (normalDensity(near) - normalDensity(far)) / sigma];
}
