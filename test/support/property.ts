import fc from "fast-check";

/** Runs a property over seeded examples: the same ones every time, on every machine. */
export const check = <T>(
  examples: fc.Arbitrary<T>,
  property: (example: T) => Promise<void> | void,
  runs = 15,
): Promise<void> =>
  fc.assert(
    fc.asyncProperty(examples, async (example) => property(example)),
    { seed: 42, numRuns: runs },
  );

/** Seeds for the values of an example; shrinking a seed makes nothing simpler. */
export const seed = fc.noShrink(fc.integer({ min: 0, max: 2 ** 31 - 1 }));
