import { UsageError } from "../engine/errors.ts";
import { requireShape, showShape } from "../engine/shapes.ts";
import type { Shape } from "../engine/tensor.ts";

/** Throws UsageError unless a shape is one of samples, [n,...]. */
export function requireSamples(who: string, shape: Shape): void {
  requireShape(who, shape);
  if (shape.length === 0) throw new UsageError(`${who}: got samples ${showShape(shape)}, expected [n,...]`);
}

/** Throws UsageError unless each option is a whole number from `least`. */
export function requireWhole(who: string, options: Readonly<Record<string, number>>, least: number): void {
  for (const [name, value] of Object.entries(options))
    if (!Number.isInteger(value) || value < least)
      throw new UsageError(`${who}: got ${name} ${value}, expected a whole number from ${least}`);
}

/** Throws UsageError unless each option is positive and finite. */
export function requirePositive(who: string, options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options))
    if (!(value > 0 && Number.isFinite(value)))
      throw new UsageError(`${who}: got ${name} ${value}, expected a positive number`);
}

/** The time next to the data. Throws UsageError unless it lies between 0 and T. */
export function requireEps(who: string, eps: number, T: number): number {
  if (eps > 0 && eps < T) return eps;
  throw new UsageError(`${who}: got eps ${eps}, expected a time between 0 and ${T}`);
}
