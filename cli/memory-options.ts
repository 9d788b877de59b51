import { type Command, Option } from "commander";
import { precisions } from "./config/training.ts";
import type { AnyConfig } from "./config.ts";

/** How a training step keeps its activations. */
export interface MemoryOptions {
  checkpointing?: boolean;
  precision?: (typeof precisions)[number];
}

/** Adds the options to a command. */
export const withMemoryOptions = (command: Command): Command =>
  command
    .option(
      "--checkpointing",
      "keep only what goes into each block and compute the rest again; or training.checkpointing",
    )
    .addOption(
      new Option("--precision <kind>", "mixed stores activations as f16; or training.precision").choices(
        precisions,
      ),
    );

/** What was asked for goes before what the configuration says. */
export function applyMemoryOptions(config: AnyConfig, { checkpointing, precision }: MemoryOptions): void {
  if (checkpointing !== undefined) config.training.checkpointing = checkpointing;
  if (precision !== undefined) config.training.precision = precision;
}
