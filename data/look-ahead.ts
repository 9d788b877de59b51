import type { ImageSet } from "./dataset.ts";

/** Steps whose images are decoded ahead of the one at hand. */
const STEPS = 4;

/**
 * A function to call with each step before its images are read: it tells a set that decodes as it goes what the steps
 * after it will want. images(step): the indices of a step, in the order they are read. Steps may come again or jump.
 */
export function lookAhead(
  set: ImageSet,
  images: (step: number) => ArrayLike<number>,
  steps = STEPS,
): (step: number) => void {
  let [from, to] = [0, 0]; // told already
  return (step) => {
    if (!set.expect) return;
    if (step < from || step > to) to = step;
    from = step;
    for (; to <= step + steps; to++) set.expect(images(to));
  };
}
