/**
 * The benchmark's core, for Node and browsers: what is measured, how, and what is told of it. Nothing here or under it
 * imports from Node; what differs stands behind `Host`.
 */
export { families, groups, selected } from "./cases.ts";
export {
  type FusionOptions,
  type FusionRow,
  measureFusion,
  type Path,
  pathName,
  type Sampled,
  type UpdateName,
} from "./fusion.ts";
export {
  type Bound,
  type By,
  type Case,
  type Fault,
  type Measured,
  type MeasureOptions,
  measure,
  type Progress,
  progressLine,
  type Spread,
  type Timing,
} from "./harness.ts";
export { browserHost, type Host, type Load } from "./host.ts";
export { release } from "./inputs.ts";
export { parseLines, parseRecord } from "./parse-record.ts";
export { milliseconds, Rates, rate, units } from "./rates.ts";
export {
  change,
  describeCase,
  describeFusion,
  describeRun,
  linesOf,
  requireSameAdapter,
  textOf,
} from "./record.ts";
export { rooflinePlot } from "./roofline/plot.ts";
export { attainable, intensityOf, type Limit, leastTime, type Roofs, ridge, shareOf } from "./roofs.ts";
export {
  type CaseRecord,
  type FusionRecord,
  jsonSchema,
  type Line,
  line,
  type ProfileRecord,
  type RoofsRecord,
  type RunRecord,
} from "./schema.ts";
