import { square, sumEach } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";

/** |v|^2 of each sample, [n,...] -> [n]. */
export const squaredNorm = (v: Tensor): Tensor => sumEach(square(v));
