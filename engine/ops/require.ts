import { UsageError } from "../errors.ts";
import { isScalar, type ScalarLike } from "../scalar.ts";
import { isFloat, type Tensor } from "../tensor.ts";

/** Throws UsageError unless x holds f32 or f16: kernels would read another type's bits as numbers. */
export function requireFloat(who: string, x: Tensor): void {
  if (!isFloat(x)) throw new UsageError(`${who}: got dtype ${x.dtype}, expected f32`);
}

/** Throws UsageError unless s is a number or a Scalar: JavaScript would make NaN of anything else. */
export function requireScalar(who: string, s: ScalarLike): void {
  if (!isScalar(s)) throw new UsageError(`${who}: got ${JSON.stringify(s)}, expected a number or a Scalar`);
}
