import { UsageError } from "../../engine/errors.ts";
import { combine, mul, sumEach } from "../../engine/ops/index.ts";
import { sameShape, showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { computed } from "./solver.ts";

/**
 * Latents between a (weight 0) and b (weight 1), both [n,...], along the arc between each pair: sin((1 - w) angle) /
 * sin(angle) a + sin(w angle) / sin(angle) b. Unlike a straight line it keeps the length that draws from the prior have.
 * Shoemake 1985. Throws UsageError for shapes that differ, a weight that is no number, and for a pair that points in
 * opposite directions.
 */
export async function slerp(a: Tensor, b: Tensor, weight: number): Promise<Tensor> {
  if (!sameShape(a.shape, b.shape))
    throw new UsageError(`slerp: got a ${showShape(a.shape)}, b ${showShape(b.shape)}, expected one shape`);
  if (!Number.isFinite(weight)) throw new UsageError(`slerp: got weight ${weight}, expected a finite number`);
  const { engine } = a;
  const products = computed(engine, () => [mul(a, a), mul(b, b), mul(a, b)].map(sumEach));
  const [aa, bb, ab] = await engine.readAll(products);
  for (const t of products) t.dispose();
  const factors = Array.from(ab!, (product, i) => {
    const size = Math.sqrt(aa![i]! * bb![i]!);
    if (product <= -0.999999 * size)
      throw new UsageError(
        `slerp: got sample ${i} in opposite directions or zero, expected one shortest arc between the two; go by a third`,
      );
    return arcFactors(Math.acos(Math.min(1, product / size)), weight);
  });
  const along = (k: 0 | 1) =>
    engine.tensor(
      factors.map((f) => f[k]),
      [a.dim(0), ...new Array<number>(a.rank - 1).fill(1)],
    );
  return computed(engine, () => combine(mul(a, along(0)), [[1, mul(b, along(1))]]));
}

/** What a and b count for at a place on the arc between them; by a straight line where there is no arc to speak of. */
function arcFactors(angle: number, weight: number): readonly [number, number] {
  const sine = Math.sin(angle);
  if (sine < 1e-4) return [1 - weight, weight];
  return [Math.sin((1 - weight) * angle) / sine, Math.sin(weight * angle) / sine];
}
