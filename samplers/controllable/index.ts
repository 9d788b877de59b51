export { type ClassConditionalOptions, classConditional, type LogProbGrad } from "./class-conditional.ts";
export { type ColorizeOptions, colorize } from "./colorize.ts";
export type { HeldOptions } from "./held.ts";
export { type InpaintOptions, inpaint } from "./inpaint.ts";
export { type InverseOptions, type Operator, solveInverse } from "./inverse.ts";
export { blur, maskedFourier, superResolution } from "./operators.ts";
