import { type Array64, zip } from "./array.ts";
import { type RandomAttrs, randomUniform } from "./philox.ts";

/** x / (1 - rate) where a uniform draw of x's shape is at least rate, else 0. Srivastava et al. 2014. */
export function dropout(x: Array64, attrs: RandomAttrs & { readonly rate: number }): Array64 {
  const { rate } = attrs;
  const smallestKept = Math.fround(rate); // as the kernel is told it
  return zip(x, randomUniform(x.shape, attrs), (value, u) => (u >= smallestKept ? value / (1 - rate) : 0));
}
