import type { Command } from "commander";
import type { Trial, Tuned, Tuning } from "../../engine/autotune.ts";
import { Engine } from "../../engine/engine.ts";
import { adapterName } from "../../engine/platform/platform.ts";
import { readConfig } from "../config.ts";
import { applyMemoryOptions, type MemoryOptions, withMemoryOptions } from "../memory-options.ts";
import { wholeFrom } from "../options.ts";
import { progressOf } from "../progress.ts";
import { type SetOption, withSetOption } from "../set-option.ts";
import { systemOf } from "../system.ts";
import { table } from "../table.ts";
import { batchesOf, tuningClock, walkSteps } from "../tune.ts";

interface TuneCommandOptions extends MemoryOptions, SetOption {
  batch?: number;
  count?: number;
  budget: number;
  compare?: boolean;
  json?: boolean;
}

/** A heuristic so close to what was measured is as good. */
const CLOSE = 1.25;

export function tuneCommand(program: Command): void {
  withSetOption(withMemoryOptions(program.command("tune")))
    .description("measure which kernels compute a network's steps the fastest on this adapter, and keep that")
    .argument("<config>", "configuration, such as configs/ncsn/mnist.yaml")
    .option("--batch <n>", "images of a training step; as configured unless given", wholeFrom(1, "--batch"))
    .option("--count <n>", "images drawn at once; as configured unless given", wholeFrom(1, "--count"))
    .option(
      "--budget <ms>",
      "milliseconds for each shape, once each way ran thrice",
      wholeFrom(1, "--budget"),
      200,
    )
    .option("--compare", "measure what is known too and keep nothing: how good are the heuristics?")
    .option("--json", "as JSON")
    .addHelpText(
      "after",
      `
Afterwards train, sample and the others take what was found, on this adapter and for these shapes.
It is kept in the user's cache folder, or in STEIN_CACHE_DIR. STEIN_AUTOTUNE=off leaves it unread;
STEIN_AUTOTUNE=on measures whatever a training run meets before its first step.`,
    )
    .action(async (path: string, { batch, count, budget, compare, json, ...rest }: TuneCommandOptions) => {
      const config = readConfig(path, rest.set);
      applyMemoryOptions(config, rest);
      const given = batchesOf(config);
      const batches = { training: batch ?? given.training, sampling: count ?? given.sampling };
      const engine = await Engine.create({ autotune: "cached" });
      try {
        const tuning = await engine.tune(() => walkSteps(engine, config, batches), {
          budget,
          ...(compare && { compare }),
          ...tuningClock(engine),
          onProgress: progressOf("measuring shapes"),
        });
        if (json)
          console.log(
            JSON.stringify({ config: path, batches, ...tuning, system: systemOf(engine) }, null, 2),
          );
        else print(tuning, engine, compare);
      } finally {
        engine.destroy();
      }
    });
}

function print({ met, tuned, place }: Tuning, engine: Engine, compare: boolean | undefined): void {
  const rows = [...tuned].sort((a, b) => ratio(b) - ratio(a));
  if (rows.length > 0)
    console.log(
      table(
        ["shape", "heuristic", "ms", "fastest", "ms", "ratio"],
        rows.map((t) => [
          t.key,
          wayOf(t.heuristic),
          t.heuristic.ms.toFixed(3),
          t.chosen === t.heuristic ? "=" : wayOf(t.chosen),
          t.chosen.ms.toFixed(3),
          ratio(t).toFixed(2),
        ]),
      ),
    );
  for (const { key, trials } of rows)
    for (const { way, fault } of trials)
      if (fault !== undefined) console.log(`out of the question: ${key}: ${way}: ${fault}`);
  const total = (of: (t: Tuned) => Trial) => tuned.reduce((sum, t) => sum + of(t).ms, 0);
  if (rows.length > 0) {
    const close = tuned.filter((t) => ratio(t) <= CLOSE).length;
    console.log(
      `\n${adapterName(engine.driver)}: ${close} of ${tuned.length} heuristics within ${Math.round(100 * (CLOSE - 1))} % of the fastest; ` +
        `all shapes once ${total((t) => t.heuristic).toFixed(1)} ms by heuristics, ${total((t) => t.chosen).toFixed(1)} ms by the fastest`,
    );
  }
  if (compare) return;
  if (place === undefined) console.log(`all ${met} shapes were known; --compare measures them anew`);
  else console.log(`${tuned.length} of ${met} shapes were new: ${place}`);
}

/** How much longer the heuristic's way takes. */
const ratio = ({ heuristic, chosen }: Tuned): number => heuristic.ms / chosen.ms;

/** {"rows":8,"columns":4} as rows 8, columns 4. */
const wayOf = ({ way }: Trial): string =>
  Object.entries(JSON.parse(way) as Record<string, unknown>)
    .map(([name, value]) =>
      typeof value === "string"
        ? value
        : value === true
          ? name
          : value === false
            ? `no ${name}`
            : `${name} ${value}`,
    )
    .join(", ");
