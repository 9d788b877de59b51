import { UsageError } from "../../engine/errors.ts";
import { geometricSigmas, type MatchingName } from "../../train/index.ts";

/** The scales of noise that a network is trained at, in units of the data. */
type Noise =
  | { readonly kind: "one"; readonly sigma: number }
  | { readonly kind: "ladder"; readonly begin: number; readonly end: number; readonly count: number };

export interface LearnSettings {
  readonly loss: MatchingName;
  readonly noise: Noise;
  readonly lr: number;
  readonly seed: number;
  /** Points of a step. */
  readonly batch: number;
  /** Width of the two hidden layers. */
  readonly hidden: number;
}

export const defaults = {
  loss: "dsm",
  noise: { kind: "one", sigma: 0.4 },
  lr: 0.01,
  seed: 1,
  batch: 256,
  hidden: 64,
} as const satisfies LearnSettings;

/** What noise scales can be: below, float32 loses the points; above, nothing is left of a set. */
const SIGMAS = { least: 0.05, most: 20 };
const MOST_LEVELS = 64;

/** Throws UsageError for settings out of range. */
export function requireSettings({ noise, lr, seed }: LearnSettings): void {
  if (!(lr > 0 && lr <= 1))
    throw new UsageError(`learn: got learning rate ${lr}, expected a number above 0, at most 1; try 0.01`);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UsageError(`learn: got seed ${seed}, expected a whole number from 0; try 1`);
  const sigmas = noise.kind === "one" ? [noise.sigma] : [noise.begin, noise.end];
  for (const sigma of sigmas)
    if (!(sigma >= SIGMAS.least && sigma <= SIGMAS.most))
      throw new UsageError(
        `learn: got sigma ${sigma}, expected a number from ${SIGMAS.least} to ${SIGMAS.most}; try 0.4`,
      );
  if (noise.kind !== "ladder") return;
  if (!(noise.begin > noise.end))
    throw new UsageError(
      `learn: got a ladder from ${noise.begin} to ${noise.end}, expected it to descend; swap the two`,
    );
  if (!(Number.isInteger(noise.count) && noise.count >= 2 && noise.count <= MOST_LEVELS))
    throw new UsageError(
      `learn: got ${noise.count} levels, expected a whole number from 2 to ${MOST_LEVELS}; try 8`,
    );
}

/** The noise scales by label, descending. */
export const sigmasOf = (noise: Noise): number[] =>
  noise.kind === "one" ? [noise.sigma] : geometricSigmas(noise);
