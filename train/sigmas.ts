import { UsageError } from "../engine/errors.ts";

export interface SigmaOptions {
  /** Largest noise scale, in units of the data. */
  begin: number;
  /** Smallest noise scale. */
  end: number;
  /** How many. */
  count: number;
}

/** A geometric ladder of noise scales, descending as Song & Ermon 2019 write it. Throws UsageError unless begin >= end > 0. */
export function geometricSigmas({ begin, end, count }: SigmaOptions): number[] {
  if (!(end > 0 && begin >= end && Number.isFinite(begin)))
    throw new UsageError(`sigmas: got begin ${begin}, end ${end}, expected begin >= end > 0`);
  if (!Number.isInteger(count) || count < 1)
    throw new UsageError(`sigmas: got count ${count}, expected a whole number from 1`);
  if (count === 1) return [begin];
  const ratio = Math.log(end / begin) / (count - 1);
  return Array.from({ length: count }, (_, i) => begin * Math.exp(ratio * i));
}
