import { subVp } from "./subvp.ts";
import { ve } from "./ve.ts";
import { vp } from "./vp.ts";

export { priorLogDensity, samplePrior } from "./prior.ts";
export { type Reverse, type ReverseOptions, reverse, reverseSde } from "./reverse.ts";
export { eulerStep, type Linear, type Marginal, type Sde, stepIndex, timeGrid } from "./sde.ts";
export { type SubVp, subVp } from "./subvp.ts";
export { type Ve, type VeOptions, ve } from "./ve.ts";
export { type BetaOptions, type DdpmTables, type Vp, vp } from "./vp.ts";

/** By the names that configurations and each SDE's own `name` give. */
export const sdes = { ve, vp, subvp: subVp } as const;

export type SdeName = keyof typeof sdes;
