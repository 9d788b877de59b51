import { UsageError } from "./errors.ts";

/** Throws UsageError unless there are noise scales, positive and descending as the papers write them. */
export function requireSigmas(who: string, sigmas: readonly number[]): void {
  const bad = sigmas.findIndex((s, i) => !(s > 0 && Number.isFinite(s)) || (i > 0 && s > sigmas[i - 1]!));
  if (sigmas.length > 0 && bad < 0) return;
  throw new UsageError(
    `${who}: got sigma ${sigmas[bad] ?? "none"} at place ${Math.max(bad, 0)}, expected positive numbers, descending`,
  );
}
