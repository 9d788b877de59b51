import { expectedOneOf, UsageError } from "../engine/errors.ts";

/** Throws UsageError unless each number is a whole one from 1. */
export function requireCounts(who: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!Number.isInteger(value) || value < 1)
      throw new UsageError(`${who}: got ${name} ${value}, expected a whole number of at least 1`);
}

/** Throws UsageError unless `value` is one of the names. */
export function requireOneOf<N extends string>(
  who: string,
  what: string,
  value: string,
  names: readonly N[],
): N {
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw new UsageError(`${who}: got ${what} ${value}, ${expectedOneOf(value, names)}`);
}
