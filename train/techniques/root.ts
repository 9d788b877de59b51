import { invariant } from "../../engine/errors.ts";

/**
 * Where f, which changes its sign between low and high, is 0: by bisection, to the last bit. Slower than other ways, and
 * nothing can go wrong.
 */
export function root(f: (x: number) => number, low: number, high: number): number {
  const below = f(low) < 0;
  invariant(below !== f(high) < 0, `root: no change of sign between ${low} and ${high}`);
  let [a, b] = [low, high];
  for (;;) {
    const middle = a + (b - a) / 2;
    if (middle <= a || middle >= b) return middle;
    if (f(middle) < 0 === below) a = middle;
    else b = middle;
  }
}
