import type { Engine } from "../../engine/engine.ts";
import { add, mul, scale, square, sum } from "../../engine/ops/index.ts";
import { type Draw, randn } from "../../engine/random.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { Sde } from "./sde.ts";

/** x_T ~ N(0, priorStd^2 I) of a shape. */
export const samplePrior = (engine: Engine, { priorStd }: Sde, shape: Shape, draw: Draw): Tensor =>
  scale(randn(engine, shape, draw), priorStd);

/** log density of x [n,...] under the prior, in nats. -> [n] */
export function priorLogDensity({ priorStd }: Sde, x: Tensor): Tensor {
  const variance = priorStd ** 2;
  const axis = x.shape.map((_, i) => i).slice(1);
  const constant = (-0.5 * x.size * Math.log(2 * Math.PI * variance)) / x.dim(0);
  return add(mul(sum(square(x), { axis }), -0.5 / variance), constant);
}
