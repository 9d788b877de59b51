export type { Marginal, Sde } from "./sde.ts";
export { type SubVp, subVp } from "./subvp.ts";
export { type Ve, type VeOptions, ve } from "./ve.ts";
export { type BetaOptions, type DdpmTables, type Vp, vp } from "./vp.ts";
