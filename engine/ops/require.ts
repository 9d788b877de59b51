import { UsageError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";

/** Throws UsageError unless x holds f32 or f16: kernels would read another type's bits as numbers. */
export function requireFloat(who: string, x: Tensor): void {
  if (x.dtype !== "f32" && x.dtype !== "f16")
    throw new UsageError(`${who}: got dtype ${x.dtype}, expected f32`);
}
