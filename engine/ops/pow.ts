import { UsageError } from "../errors.ts";
import { Scalar, type ScalarLike } from "../scalar.ts";
import { Tensor } from "../tensor.ts";
import { add, equal, mul, sub } from "./binary.ts";
import { byNumber } from "./by-number.ts";
import { type BinarySpec, tensorOp } from "./elementwise.ts";
import { requireFloat, requireScalar } from "./require.ts";
import { log } from "./unary.ts";

const spec: BinarySpec = {
  rule: ({ x, y, z, dz }) => [
    () => mul(dz, mul(y, pow(x, sub(y, sub(1, mul(equal(x, 0), equal(y, 0))))))), // 0^0 is 1 all around: 0 times 0^0
    () => mul(dz, mul(z, log(add(x, equal(x, 0))))),
  ],
  saves: { inputs: [0, 1], output: true },
  byNumber: {
    rule: ({ x, s, dz }) => (fixed(s) === 0 ? undefined : mul(dz, mul(pow(x, fixed(s) - 1), s))),
    saves: { inputs: [0] },
  },
};
const ofTensor = tensorOp("pow", spec);
const ofNumber = byNumber("pow", spec.byNumber);

/**
 * x^y, of x's shape or, where y is a tensor, of the broadcast one. A negative x needs whole exponents, else the result is
 * NaN. The derivative in the exponent counts as 0 at a base of 0, as in PyTorch. Throws UsageError for integers and for
 * shapes that do not broadcast; its derivative does for an exponent that is a Scalar.
 */
export function pow(x: Tensor, y: Tensor | ScalarLike): Tensor {
  requireFloat("pow", x);
  if (!(y instanceof Tensor)) {
    requireScalar("pow", y);
    return ofNumber(x.engine, [x], { s: y });
  }
  requireFloat("pow", y);
  return ofTensor(x.engine, [x, y], {});
}

function fixed(s: ScalarLike): number {
  if (s instanceof Scalar)
    throw new UsageError("pow: got a Scalar exponent, expected a number for a derivative");
  return s;
}
