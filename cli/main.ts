import { constants } from "node:os";
import { Command, CommanderError } from "commander";
import { DeviceError, UsageError } from "../engine/errors.ts";
import { benchCommand } from "./commands/bench.ts";
import { classifyGuideCommand } from "./commands/classify-guide.ts";
import { colorizeCommand } from "./commands/colorize.ts";
import { convertCommand } from "./commands/convert.ts";
import { dataCommand } from "./commands/data.ts";
import { demoCommand } from "./commands/demo.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { encodeCommand } from "./commands/encode.ts";
import { evaluateCommand } from "./commands/evaluate.ts";
import { inpaintCommand } from "./commands/inpaint.ts";
import { interpolateCommand } from "./commands/interpolate.ts";
import { kernelsCommand } from "./commands/kernels.ts";
import { likelihoodCommand } from "./commands/likelihood.ts";
import { modelCommand } from "./commands/model.ts";
import { restoreCommand } from "./commands/restore.ts";
import { runsCommand } from "./commands/runs.ts";
import { sampleCommand } from "./commands/sample.ts";
import { scheduleCommand } from "./commands/schedule.ts";
import { trainCommand } from "./commands/train.ts";
import { tuneCommand } from "./commands/tune.ts";
import { Interrupted } from "./interrupt.ts";
import { endLine } from "./progress.ts";
import { version } from "./version.ts";

const { signals } = constants;

process.stdout.on("error", (fault: NodeJS.ErrnoException) => {
  if (fault.code === "EPIPE") process.exit(141); // the reader, such as head, has enough: 128 + SIGPIPE, as others end
  throw fault;
});

const program = new Command("stein")
  .description("Score-based generative models on hand-written WebGPU kernels.")
  .version(version())
  .option("--debug", "show where an error came from")
  .showSuggestionAfterError()
  .configureOutput({ outputError: (text, write) => write(`stein: ${complaint(text)}\n`) })
  .exitOverride();

for (const add of [
  doctorCommand,
  demoCommand,
  trainCommand,
  runsCommand,
  sampleCommand,
  classifyGuideCommand,
  inpaintCommand,
  colorizeCommand,
  restoreCommand,
  interpolateCommand,
  encodeCommand,
  likelihoodCommand,
  scheduleCommand,
  dataCommand,
  evaluateCommand,
  modelCommand,
  convertCommand,
  kernelsCommand,
  tuneCommand,
  benchCommand,
])
  add(program);

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

try {
  await program.parseAsync();
} catch (fault) {
  endLine();
  process.exitCode = exitCode(fault);
}

/** 2: the caller can mend it; 3: the device cannot; 128 and the signal: stopped; 1: our fault. */
function exitCode(fault: unknown): number {
  if (fault instanceof CommanderError) return fault.exitCode === 0 ? 0 : 2;
  const known = [UsageError, DeviceError, Interrupted].some((kind) => fault instanceof kind);
  if (!known || program.opts<{ debug?: boolean }>().debug) console.error(fault);
  else console.error(`stein: ${(fault as Error).message}`);
  if (fault instanceof UsageError) return 2;
  if (fault instanceof Interrupted) return 128 + signals[fault.signal];
  return fault instanceof DeviceError ? 3 : 1;
}

/** Commander's complaint in one line that ends with a way out. */
function complaint(text: string): string {
  const [what = "", hint] = text.trim().split("\n");
  const mend = hint ? `, ${hint.replace(/^\((D)(.*)\)$/, "d$2")}` : "; see stein --help";
  return what.replace(/^error: /, "").replace(/\.$/, "") + mend;
}
