import { UsageError } from "../../engine/errors.ts";
import { concat, cos, floor, mul, pad, reshape, sin, sub } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../init.ts";
import { Module } from "../module.ts";

/**
 * Random Fourier features of x [n] (log sigma in the 2021 networks) -> [n, 2 size]: sin and cos of 2 pi x W,
 * W drawn once from N(0, scale^2) and never trained. Tancik et al. 2020.
 */
export class GaussianFourierProjection extends Module<[x: Tensor], Tensor> {
  readonly W: Tensor;

  constructor(init: Init, size: number, { scale = 1 } = {}) {
    super();
    this.W = init.frozen(init.normal([size], 0, scale));
  }

  forward(x: Tensor): Tensor {
    const turns = mul(reshape(x, [-1, 1]), this.W); // [n, size]
    const angle = mul(sub(turns, floor(turns)), 2 * Math.PI); // whole turns dropped: they run to hundreds
    return concat([sin(angle), cos(angle)], 1);
  }
}

/**
 * Sinusoids of t [n] -> [n, dim]: sin, then cos, of t times frequencies from 1 down to 1 / maxPositions; a column of
 * zeros closes an odd dim. Ho et al. 2020. Throws UsageError for a dim below 4, whose frequencies are undefined.
 */
export function timestepEmbedding(t: Tensor, dim: number, maxPositions = 10000): Tensor {
  if (!Number.isInteger(dim) || dim < 4)
    throw new UsageError(`timestepEmbedding: got dim ${dim}, expected a whole number from 4`);
  const half = Math.floor(dim / 2);
  const frequencies = Array.from({ length: half }, (_, i) => maxPositions ** (-i / (half - 1)));
  const angle = mul(reshape(t, [-1, 1]), t.engine.tensor(frequencies)); // [n, half]
  const waves = concat([sin(angle), cos(angle)], 1);
  return dim % 2 === 0
    ? waves
    : pad(waves, [
        [0, 0],
        [0, 1],
      ]);
}
