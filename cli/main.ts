import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { DeviceError, UsageError } from "../engine/errors.ts";
import { demoCommand } from "./commands/demo.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { kernelsCommand } from "./commands/kernels.ts";
import { sampleCommand } from "./commands/sample.ts";
import { trainCommand } from "./commands/train.ts";

const program = new Command("stein")
  .description("Score-based generative models on hand-written WebGPU kernels.")
  .version(version())
  .option("--debug", "show where an error came from")
  .showSuggestionAfterError()
  .exitOverride();

for (const add of [doctorCommand, demoCommand, trainCommand, sampleCommand, kernelsCommand]) add(program);
for (const command of program.commands) {
  command.exitOverride();
  for (const inner of command.commands) inner.exitOverride();
}

try {
  await program.parseAsync();
} catch (fault) {
  process.exitCode = exitCode(fault);
}

/** 2: the caller can mend it; 3: the device cannot; 1: our fault. */
function exitCode(fault: unknown): number {
  if (fault instanceof CommanderError) return fault.exitCode === 0 ? 0 : 2;
  const known = fault instanceof UsageError || fault instanceof DeviceError;
  if (!known || program.opts<{ debug?: boolean }>().debug) console.error(fault);
  else console.error(`stein: ${fault.message}`);
  if (fault instanceof UsageError) return 2;
  return fault instanceof DeviceError ? 3 : 1;
}

function version(): string {
  for (const up of ["../package.json", "../../package.json"]) {
    try {
      return (JSON.parse(readFileSync(new URL(up, import.meta.url), "utf8")) as { version: string }).version;
    } catch {}
  }
  return "unknown";
}
