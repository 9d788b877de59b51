import { UsageError } from "../../engine/errors.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";

/** Throws UsageError unless t stretches to a shape as in NumPy. */
export function requireStretch(who: string, name: string, t: Tensor, shape: Shape): void {
  const axes = shape.slice(-t.rank);
  if (t.rank > shape.length || t.shape.some((d, i) => d !== 1 && d !== axes[i]))
    throw new UsageError(
      `${who}: got ${name} ${showShape(t.shape)} for samples ${showShape(shape)}, expected what stretches to them`,
    );
}

/** Throws UsageError for a value that is not as expected. The values are read back. */
export async function requireValues(
  who: string,
  name: string,
  t: Tensor,
  expected: { be: (value: number) => boolean; words: string },
): Promise<void> {
  const values = await t.data();
  for (const [i, value] of values.entries())
    if (!expected.be(value))
      throw new UsageError(`${who}: got ${name} ${value} at element ${i}, expected ${expected.words}`);
}

export const finite = { be: Number.isFinite, words: "finite numbers" };
export const finiteThroughout = { be: Number.isFinite, words: "finite numbers, also where the mask is 0" };
export const zeroOrOne = {
  be: (value: number) => value === 0 || value === 1,
  words: "1 where the samples are known and 0 where they are to be drawn",
};
