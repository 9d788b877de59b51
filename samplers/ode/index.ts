export { euler, heun, type TimeGrid } from "./fixed.ts";
export { type Likelihood, type LikelihoodOptions, likelihood, type Probe } from "./likelihood.ts";
export {
  type DecodeOptions,
  decode,
  encode,
  type Flow,
  type FlowOptions,
  type FlowSampleOptions,
  type FlowStep,
  type RoundTrip,
  roundTrip,
  sampleFlow,
} from "./probability-flow.ts";
export { type Rk45Options, rk45 } from "./rk45.ts";
export { slerp } from "./slerp.ts";
export type {
  Field,
  OdePoint,
  OdeProblem,
  OdeProgress,
  OdeSolution,
  OdeSolver,
  OnOdeStep,
  State,
} from "./solver.ts";
