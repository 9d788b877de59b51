import type { Command } from "commander";
import { UsageError } from "../../engine/errors.ts";
import { wholeFrom } from "../options.ts";

/** How the probability flow is solved. */
export interface FlowSolverOptions {
  batch: number;
  tolerance?: number;
}

/** Of a solver's step, relative and absolute, unless told: that of the published samplers. */
export const TOLERANCE = 1e-5;

/** Adds the options. */
export const withFlow = (command: Command): Command =>
  withTolerance(command).option(
    "--batch <n>",
    "images at a time: the solver's steps are chosen for all of them",
    wholeFrom(1, "--batch"),
    64,
  );

/** Adds the option; `of` begins what is said of it. */
export const withTolerance = (command: Command, of = ""): Command =>
  command.option(
    "--tolerance <e>",
    `${of}error of a solver's step, relative and absolute; ${TOLERANCE.toExponential()} unless given`,
    toleranceOf,
  );

/** Float32 numbers cannot be held to less. */
const LEAST = 1e-7;

function toleranceOf(text: string): number {
  const e = Number(text);
  if (e >= LEAST && e < 1) return e;
  throw new UsageError(`got --tolerance ${text}, expected a number from ${LEAST} and below 1, such as 1e-5`);
}
