import { defineKernel } from "./kernel.ts";
import { bits } from "./lib/math.ts";

/**
 * What the optimizers multiply gradients by: min(1, maxNorm / (norm + 1e-6)), as torch's clip_grad_norm_, with
 * norm = sqrt(squares[0]); -1 when the norm is not finite, which tells them to leave the weights alone.
 */
export const clipFactor = defineKernel({
  name: "clip_factor",
  bindings: { squares: "read f32", factor: "read_write f32" },
  params: { maxNorm: "f32" },
  lib: [bits],
  variants: [{}],
  main: () => `
    @compute @workgroup_size(1)
    fn main() {
      let norm = sqrt(squares[0]);
      factor[0] = select(-1.0, min(1.0, p.maxNorm / (norm + 1e-6)), is_finite(squares[0]));
      factor[1] = norm;
    }`,
  dispatch: () => [1, 1, 1],
  cost: () => ({ bytes: 12, flops: 3 }),
});
