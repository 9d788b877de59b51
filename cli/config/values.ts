import { z } from "zod";

/** A number with the one line that says what it should have been. */
export const number = (what: string, check: (n: number) => boolean = Number.isFinite) =>
  z.number({ error: `expected ${what}` }).refine(check, { error: `expected ${what}` });

export const wholeFrom = (least: number) =>
  number(`a whole number from ${least}`, (n) => Number.isSafeInteger(n) && n >= least);
export const count = wholeFrom(1);
export const countTo = (most: number) =>
  count.refine((n) => n <= most, { error: `expected at most ${most}` });
export const seed = number(
  `a whole number from 0 to ${Number.MAX_SAFE_INTEGER}, 2^53 - 1`,
  (n) => Number.isSafeInteger(n) && n >= 0,
);
export const positive = number("a number above 0", (n) => n > 0);
export const fromZero = number("a number from 0", (n) => n >= 0);
/** A share of 1 that leaves something. */
export const share = number("a number from 0, below 1", (n) => n >= 0 && n < 1);
export const flag = z.boolean({ error: "expected true or false" });

export const listOf = <T extends z.ZodType>(element: T, what: string) =>
  z.array(element, { error: `expected a list of ${what}` });

/** Keys and what they hold; any other key is refused. */
export const section = <S extends z.ZodRawShape>(shape: S) =>
  z.strictObject(shape, { error: expectedKeys(Object.keys(shape)) });

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const expectedKeys = (keys: readonly string[]): string =>
  `expected a section with keys out of ${keys.join(", ")}`;

/**
 * The section that the given one's name stands for, the usual one where it has no name. For a name that stands for
 * none: a section that refuses the name and looks at nothing else.
 */
export function sectionNamed(
  sections: Readonly<Record<string, z.ZodObject>>,
  given: unknown,
  usual?: string,
): z.ZodObject {
  const name = (given as { name?: unknown } | null | undefined)?.name ?? usual;
  if (typeof name === "string" && Object.hasOwn(sections, name)) return sections[name]!;
  return z.looseObject({ name: z.enum(Object.keys(sections)) }, { error: expectedKeys(["name"]) });
}
