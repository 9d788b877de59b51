import { constants } from "node:os";
import { join } from "node:path";
import { Command, Option } from "commander";
import { classifierSource } from "../../cli/evaluation/spaces.ts";
import { Interrupted } from "../../cli/interrupt.ts";
import { positive, wholeFrom } from "../../cli/options.ts";
import { writeFileAtomic } from "../../cli/pictures/write.ts";
import { duration, endLine, Progress } from "../../cli/progress.ts";
import { Engine } from "../../engine/engine.ts";
import { DeviceError, nearest, UsageError } from "../../engine/errors.ts";
import { adapterName } from "../../engine/platform/platform.ts";
import { type FigureContext, type FigureResult, within } from "./figure.ts";
import { images } from "./images.ts";
import { learning } from "./learning.ts";
import { lowDensity } from "./low-density.ts";
import { manifold } from "./manifold.ts";
import { modes } from "./modes.ts";
import { markdownTable } from "./table.ts";

/** Minutes together. */
const quick = { learning, manifold, "low-density": lowDensity, modes } satisfies Record<
  string,
  (context: FigureContext) => Promise<FigureResult>
>;
type QuickName = keyof typeof quick;

const names = [...Object.keys(quick), "images"];

const FOLDER = join("out", "figures");
/** Of each network on images: some ten minutes on two processor cores. */
const IMAGE_STEPS = 4500;

interface Options {
  out: string;
  seed: number;
  budget: number;
  steps?: number;
  minutes?: number;
  images?: number;
  classifier?: string;
}

const program = new Command("figures")
  .description("Redraws the figures of docs/figures.md with what is measured in them.")
  .argument("[names...]", `which: ${names.join(", ")}; all but images unless told`)
  .option("-o, --out <folder>", "where to write pictures and NAME.json", FOLDER)
  .addOption(
    new Option("--seed <n>", "of networks, data and noise").default(1).argParser(wholeFrom(0, "--seed")),
  )
  .addOption(
    new Option("--budget <share>", "of the usual steps and chains, for a quick look")
      .default(1)
      .argParser(positive("--budget")),
  )
  .addOption(
    new Option("--steps <n>", "images: training steps of each network").argParser(wholeFrom(1, "--steps")),
  )
  .addOption(
    new Option("--minutes <n>", "images: end each network's training after so many").argParser(
      positive("--minutes"),
    ),
  )
  .addOption(
    new Option("--images <n>", "images: how many each network draws; 64 unless told").argParser(
      wholeFrom(4, "--images"),
    ),
  )
  .option("--classifier <run>", "images: a run of configs/classifier/digits.yaml, for a Frechet distance")
  .action(figures);

async function figures(asked: string[], options: Options): Promise<void> {
  const chosen = asked.length > 0 ? asked : Object.keys(quick);
  requireNames(chosen);
  requireImages(chosen, options);
  const engine = await Engine.create();
  try {
    for (const name of chosen) {
      const start = performance.now();
      const result = await draw(engine, name, options);
      const seconds = Number(((performance.now() - start) / 1000).toFixed(1));
      const record = {
        figure: name,
        seed: options.seed,
        adapter: adapterName(engine.driver),
        seconds,
        ...result.measured,
        table: result.table,
      };
      for (const [file, content] of Object.entries(result.pictures))
        writeFileAtomic(join(options.out, file), content);
      writeFileAtomic(join(options.out, `${name}.json`), `${JSON.stringify(record, null, 2)}\n`);
      const files = Object.keys(result.pictures).map((file) => join(options.out, file));
      console.log(
        `\n${name}: ${files.join(", ")}, in ${duration(seconds)}\n\n${markdownTable(result.table)}`,
      );
    }
  } finally {
    engine.destroy();
  }
}

function draw(engine: Engine, name: string, options: Options): Promise<FigureResult> {
  const { seed, budget, steps, minutes, classifier } = options;
  if (name === "images")
    return images(engine, {
      seed,
      folder: join(FOLDER, "runs"),
      steps: steps ?? within(budget, IMAGE_STEPS),
      count: options.images ?? 64,
      classifier: classifier === undefined ? undefined : classifierSource(classifier, [1, 28, 28]),
      ...(minutes !== undefined && { minutes }),
    });
  return quick[name as QuickName]({ engine, seed, budget, progress: progressOf() });
}

/** A line for each thing that is waited for. */
function progressOf(): FigureContext["progress"] {
  let open: { name: string; line: Progress } | undefined;
  return (name, done, total) => {
    if (open?.name !== name) open = { name, line: new Progress(name, total) };
    open.line.update(done);
    if (done === total) open = undefined;
  };
}

function requireNames(chosen: readonly string[]): void {
  for (const name of chosen) {
    if (names.includes(name)) continue;
    const meant = nearest(name, names);
    const mend = meant === undefined ? "leave it out for all but images" : `did you mean ${meant}?`;
    throw new UsageError(`got figure "${name}", expected ${names.join(", ")}; ${mend}`);
  }
}

function requireImages(chosen: readonly string[], options: Options): void {
  const own = ["steps", "minutes", "images", "classifier"] as const;
  const given = own.find((name) => options[name] !== undefined);
  if (given && !chosen.includes("images"))
    throw new UsageError(
      `got --${given} ${options[given]} without images, expected it with images only; others take --budget`,
    );
}

try {
  await program.parseAsync();
} catch (fault) {
  endLine();
  if (!(fault instanceof UsageError || fault instanceof DeviceError || fault instanceof Interrupted))
    throw fault;
  console.error(`figures: ${fault.message}`);
  if (fault instanceof Interrupted) process.exitCode = 128 + constants.signals[fault.signal];
  else process.exitCode = fault instanceof UsageError ? 2 : 3;
}
