import type { Command } from "commander";
import { UsageError } from "../engine/errors.ts";

/** Throws UsageError for an argument, or a path of an option, with nothing in it: a shell's variable that was never set. */
export function refuseEmptyPaths(command: Command): void {
  const refuse = (given: string, expected: string): never => {
    throw new UsageError(`${command.name()}: got ${given} with nothing in it, expected a ${expected}`);
  };
  for (const [i, argument] of command.registeredArguments.entries())
    if (command.args[i] === "") refuse(`<${argument.name()}>`, "path or a name");
  for (const option of command.options) {
    const expected = /<(folder|file|path|run)>/.exec(option.flags)?.[1];
    if (expected && command.getOptionValue(option.attributeName()) === "") refuse(option.long!, expected);
  }
}
