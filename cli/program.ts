import { constants } from "node:os";
import { Command, CommanderError } from "commander";
import { DeviceError, nearest, UsageError } from "../engine/errors.ts";
import { version } from "../engine/version.ts";
import { refuseEmptyPaths } from "./empty-path.ts";
import { Interrupted } from "./interrupt.ts";
import { endLine } from "./progress.ts";

/** Each command, in the help's order, by how it is loaded: nobody waits for what the other commands need. */
const commands: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  doctor: async () => (await import("./commands/doctor.ts")).doctorCommand,
  demo: async () => (await import("./commands/demo.ts")).demoCommand,
  train: async () => (await import("./commands/train.ts")).trainCommand,
  runs: async () => (await import("./commands/runs.ts")).runsCommand,
  sample: async () => (await import("./commands/sample.ts")).sampleCommand,
  "classify-guide": async () => (await import("./commands/classify-guide.ts")).classifyGuideCommand,
  inpaint: async () => (await import("./commands/inpaint.ts")).inpaintCommand,
  colorize: async () => (await import("./commands/colorize.ts")).colorizeCommand,
  restore: async () => (await import("./commands/restore.ts")).restoreCommand,
  interpolate: async () => (await import("./commands/interpolate.ts")).interpolateCommand,
  encode: async () => (await import("./commands/encode.ts")).encodeCommand,
  likelihood: async () => (await import("./commands/likelihood.ts")).likelihoodCommand,
  schedule: async () => (await import("./commands/schedule.ts")).scheduleCommand,
  data: async () => (await import("./commands/data.ts")).dataCommand,
  evaluate: async () => (await import("./commands/evaluate.ts")).evaluateCommand,
  model: async () => (await import("./commands/model.ts")).modelCommand,
  convert: async () => (await import("./commands/convert.ts")).convertCommand,
  kernels: async () => (await import("./commands/kernels.ts")).kernelsCommand,
  tune: async () => (await import("./commands/tune.ts")).tuneCommand,
  bench: async () => (await import("./commands/bench.ts")).benchCommand,
};

/**
 * Runs the command line `stein ...args` to its end and prints what went wrong; never throws. Returns the exit code. 2: the
 * caller can mend it; 3: the device cannot; 128 and the signal: stopped; 1: our fault; 0: none of these.
 */
export async function runProgram(args: readonly string[]): Promise<number> {
  const [first = "", second = ""] = args.filter((word) => !word.startsWith("-"));
  const name = first === "help" ? second : first;
  const asked = Object.hasOwn(commands, name) ? name : undefined;
  const program = new Command("stein")
    .description("Score-based generative models on hand-written WebGPU kernels.")
    .version(version)
    .option("--debug", "show where an error came from")
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(`stein: ${complaint(text, asked)}\n`) })
    .hook("preAction", (_, command) => refuseEmptyPaths(command))
    .exitOverride();
  try {
    if (first === "help" && second !== "" && asked === undefined) throw unknown(second);
    for (const load of wanted(args, asked)) (await load())(program);
    program.addHelpText(
      "after",
      `
Exit codes:
  0    done
  2    something to mend in what was asked
  3    no usable GPU or driver, or it failed
  130  stopped by Ctrl-C
  1    a fault of stein's own`,
    );
    await program.parseAsync(args, { from: "user" });
    return 0;
  } catch (fault) {
    endLine();
    if (fault instanceof CommanderError) return fault.exitCode === 0 ? 0 : 2;
    const known = [UsageError, DeviceError, Interrupted].some((kind) => fault instanceof kind);
    if (!known || program.opts<{ debug?: boolean }>().debug) console.error(fault);
    else console.error(`stein: ${(fault as Error).message}`);
    return exitCode(fault);
  }
}

/** The command that is asked for; all where none is, for the help, and where there is no such one, for the nearest name. */
function wanted([first]: readonly string[], asked: string | undefined) {
  if (first === "--version" || first === "-V") return [];
  return asked === undefined ? Object.values(commands) : [commands[asked]!];
}

function unknown(command: string): UsageError {
  const meant = nearest(command, Object.keys(commands));
  return new UsageError(
    `unknown command '${command}'${meant ? `, did you mean ${meant}?` : "; see stein --help"}`,
  );
}

function exitCode(fault: unknown): number {
  if (fault instanceof UsageError) return 2;
  if (fault instanceof Interrupted) return 128 + constants.signals[fault.signal];
  return fault instanceof DeviceError ? 3 : 1;
}

/** Commander's complaint in one line that ends with a way out. */
function complaint(text: string, asked: string | undefined): string {
  const [what = "", hint] = text.trim().split("\n");
  const mend = hint
    ? `, ${hint.replace(/^\((D)(.*)\)$/, "d$2")}`
    : `; see stein ${asked === undefined ? "" : `${asked} `}--help`;
  return what.replace(/^error: /, "").replace(/\.$/, "") + mend;
}
