import type { Engine } from "../../engine/engine.ts";
import { add, mul, scale } from "../../engine/ops/index.ts";
import { type Draw, randn } from "../../engine/random.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { squaredNorm } from "../squared-norm.ts";
import type { Sde } from "./sde.ts";

/** x_T ~ N(0, priorStd^2 I) of a shape. */
export const samplePrior = (engine: Engine, { priorStd }: Sde, shape: Shape, draw: Draw): Tensor =>
  scale(randn(engine, shape, draw), priorStd);

/** log density of x [n,...] under the prior, in nats. -> [n] */
export function priorLogDensity({ priorStd }: Sde, x: Tensor): Tensor {
  const variance = priorStd ** 2;
  const constant = (-0.5 * x.size * Math.log(2 * Math.PI * variance)) / x.dim(0);
  return add(mul(squaredNorm(x), -0.5 / variance), constant);
}
