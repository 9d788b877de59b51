export { type Ladder, ladderFor, levelOverlap, ratioFor, ratioOf } from "./ladder.ts";
export { type LargestDistance, type LargestDistanceOptions, largestDistance } from "./largest-distance.ts";
export type { PointPair, Points } from "./points.ts";
export { type SampledDistance, type SampledDistanceOptions, sampledDistance } from "./sampled-distance.ts";
export { designSchedule, type Level, type Schedule, type ScheduleRequest } from "./schedule.ts";
export { type LangevinLevel, stepSizeFor, stepsWithin, varianceRatio } from "./step-size.ts";
