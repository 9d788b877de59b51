import { ald } from "./ald.ts";
import type { Corrector } from "./corrector.ts";
import { langevin } from "./langevin.ts";

export type { Corrector } from "./corrector.ts";

/** By the names of the published code. `none` leaves all to the predictor. */
export const correctors = { langevin, ald, none: undefined } as const satisfies Readonly<
  Record<string, Corrector | undefined>
>;

export type CorrectorName = keyof typeof correctors;
