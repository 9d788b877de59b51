import { type Command, Option } from "commander";

/** Keys of the configuration that are given another value. */
export interface SetOption {
  set?: string[];
}

/** Adds --set to a command that takes a configuration. */
export const withSetOption = (command: Command): Command =>
  command.addOption(
    new Option(
      "--set <section.key=value>",
      "another value for a key of the configuration, such as training.steps=100; once for each key",
    ).argParser((change: string, before: string[] = []) => [...before, change]),
  );
