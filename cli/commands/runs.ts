import { join } from "node:path";
import type { Command } from "commander";
import { UsageError } from "../../engine/errors.ts";
import { smoothLoss } from "../metrics-plot.ts";
import { linePlot } from "../pictures/plot.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { shownLoss } from "../report.ts";
import { type FoundRun, findRuns, type RunSummary } from "../runs.ts";
import { table } from "../table.ts";

const PLOT = "runs.svg";

export function runsCommand(program: Command): void {
  program
    .command("runs")
    .description("compare the runs in a folder: a table, and their losses over the steps in runs.svg")
    .argument("[folder]", "where to look, in folders within it too", "runs")
    .option("--json", "as JSON, and no picture")
    .action((folder: string, { json }: { json?: boolean }) => {
      const runs = findRuns(folder, (fault) => console.error(`stein: left out: ${fault}`));
      if (json) {
        console.log(
          JSON.stringify(
            runs.map((run) => run.summary),
            null,
            2,
          ),
        );
        return;
      }
      if (runs.length === 0)
        throw new UsageError(
          `runs: got ${folder}, which holds no run that can be read, expected a folder of what stein train writes; train one first`,
        );
      console.log(
        table(
          headings,
          runs.map(({ summary }) => cells(summary)),
        ),
      );
      const path = join(folder, PLOT);
      writeFileAtomic(path, plot(runs));
      console.log(`\nwrote ${path}`);
    });
}

const headings = [
  "run",
  "network",
  "parameters",
  "steps",
  "last loss",
  "best held back",
  "images/s",
  "adapter",
  "when",
];

const cells = (run: RunSummary): string[] => [
  run.name,
  run.network,
  run.parameters?.toLocaleString("en") ?? "-",
  `${run.steps} of ${run.planned}`,
  run.lastLoss === null ? "-" : shownLoss(run.lastLoss),
  run.bestEvaluation === null ? "-" : `${shownLoss(run.bestEvaluation.loss)} at ${run.bestEvaluation.step}`,
  run.imagesPerSecond === null ? "-" : run.imagesPerSecond.toPrecision(3),
  run.adapter ?? "-",
  run.when.slice(0, 16).replace("T", " "),
];

/** A loss over the steps for each run that has taken some. */
const plot = (runs: readonly FoundRun[]): string =>
  linePlot({
    title: "Runs",
    xLabel: "step",
    yLabel: "loss",
    logY: true,
    series: runs
      .filter(({ rows }) => rows.length > 0)
      .map(({ summary, rows }) => smoothLoss(rows, summary.name)),
  });
