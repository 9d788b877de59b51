import { square, sum } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";

/** |v|^2 of each sample, [n,...] -> [n]. */
export const squaredNorm = (v: Tensor): Tensor => sum(square(v), { axis: v.shape.map((_, i) => i).slice(1) });
