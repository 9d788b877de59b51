import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { mebibytes } from "../engine/buffers.ts";
import { adapterName } from "../engine/platform/platform.ts";
import { countParameters } from "../models/module.ts";
import { type AnyConfig, isClassifier } from "./config.ts";
import { bestEvaluation, type MetricsLog } from "./metrics-log.ts";
import { writeFileAtomic } from "./pictures/write.ts";
import { duration } from "./progress.ts";
import type { Run } from "./run.ts";
import { files, SAMPLES, samplesBySteps } from "./run-folder.ts";
import { type System, systemOf } from "./system.ts";

/** report.json: what a run is, what ran it, and how far it came. */
export interface Report {
  readonly network: string;
  readonly parameters: number;
  readonly data: {
    readonly name: string;
    readonly images: number;
    readonly heldBack: number;
    /** [c, h, w] */
    readonly image: readonly number[];
  };
  readonly steps: { readonly taken: number; readonly planned: number };
  readonly batchSize: number;
  readonly accumulate: number;
  /** ISO 8601. */
  readonly began: string;
  readonly written: string;
  /** Of training alone. */
  readonly seconds: number;
  readonly imagesPerSecond: number | null;
  /** Most bytes in use on the device at once, since the run was last taken up. */
  readonly peakMemory: number;
  /** Mean of the last `over` steps. */
  readonly loss: { readonly last: number; readonly over: number } | null;
  /** On held-back images, with the averaged weights. `bestStep`: steps taken by then. */
  readonly evaluation: { readonly last: number; readonly best: number; readonly bestStep: number } | null;
  readonly system: System;
}

export const networkName = (config: AnyConfig): string =>
  (isClassifier(config) ? config.classifier : config.model).name;

/** Steps that a figure for "now" is the mean of. */
export const RECENT = 50;

export function reportOf(run: Run, log: MetricsLog): Report {
  const { config, train, heldBack, network, trainer, folder } = run;
  const { rows, seconds } = log;
  const { steps, batchSize, accumulate } = config.training;
  const over = Math.min(RECENT, rows.length);
  const best = bestEvaluation(rows);
  const now = Date.now();
  return {
    network: networkName(config),
    parameters: countParameters(network),
    data: {
      name: config.data.name,
      images: train.count,
      heldBack: heldBack.count,
      image: trainer.imageShape,
    },
    steps: { taken: trainer.step, planned: steps },
    batchSize,
    accumulate,
    began: earlier(folder)?.began ?? iso(now - 1000 * seconds),
    written: iso(now),
    seconds,
    imagesPerSecond: seconds > 0 ? Number(((batchSize * rows.length) / seconds).toPrecision(4)) : null,
    peakMemory: trainer.engine.memory().peak,
    loss: over > 0 ? { last: log.recent(over), over } : null,
    evaluation: best ? { last: lastEvaluation(log), best: best.loss, bestStep: best.step } : null,
    system: systemOf(trainer.engine),
  };
}

const iso = (milliseconds: number): string => new Date(milliseconds).toISOString();

const lastEvaluation = ({ rows }: MetricsLog): number =>
  rows.findLast((m) => m.evalLoss !== undefined)!.evalLoss!;

/** The report of a run's folder; undefined where there is none or it cannot be read. */
export function earlier(folder: string): Report | undefined {
  const path = join(folder, files.numbers);
  if (!existsSync(path)) return undefined;
  try {
    const report = JSON.parse(readFileSync(path, "utf8")) as Partial<Report> | null;
    return report?.system?.driver ? (report as Report) : undefined;
  } catch {
    return undefined;
  }
}

/** Writes report.json and report.md. */
export function writeReport(run: Run, log: MetricsLog): void {
  const report = reportOf(run, log);
  writeFileAtomic(join(run.folder, files.numbers), `${JSON.stringify(report, null, 2)}\n`);
  writeFileAtomic(join(run.folder, files.report), markdown(report, samplesBySteps(run.folder).at(-1)));
}

/** A loss is a sum over an image's elements, or the mean of them. */
export const shownLoss = (loss: number): string => loss.toFixed(Math.abs(loss) < 1 ? 4 : 2);

function markdown(report: Report, samples: string | undefined): string {
  const { network, parameters, data, steps, batchSize, accumulate, system, loss, evaluation } = report;
  const { driver } = system;
  const inParts = accumulate > 1 ? `, in ${accumulate} parts` : "";
  const rows: (readonly [string, string] | undefined)[] = [
    ["network", `${network}, ${parameters.toLocaleString("en")} parameters`],
    [
      "images",
      `${data.images.toLocaleString("en")} of ${data.name}, ${data.image.join(" x ")}; ` +
        `${data.heldBack.toLocaleString("en")} held back`,
    ],
    ["steps", `${steps.taken} of ${steps.planned}, batch ${batchSize}${inParts}`],
    loss ? ["loss", `${shownLoss(loss.last)}, mean of the last ${loss.over} steps`] : undefined,
    evaluation
      ? [
          "loss on held-back images",
          `${shownLoss(evaluation.last)}; best ${shownLoss(evaluation.best)} after ${evaluation.bestStep} steps`,
        ]
      : undefined,
    ["time of training", duration(report.seconds)],
    report.imagesPerSecond === null ? undefined : ["images a second", String(report.imagesPerSecond)],
    ["peak device memory", mebibytes(report.peakMemory)],
    ["adapter", `${adapterName(driver)} (${driver.source}${driver.software ? ", software" : ""})`],
    ["versions", `stein ${system.stein}, Node ${system.node}, ${system.platform}`],
    ["began", report.began],
    ["written", report.written],
  ];
  return [
    `# ${network} on ${data.name}`,
    "",
    "| | |",
    "| --- | --- |",
    ...rows.flatMap((row) => (row ? [`| ${row[0]} | ${row[1]} |`] : [])),
    "",
    `![loss](${files.loss})`,
    `![learning rate](${files.rate})`,
    ...(samples === undefined ? [] : [`![samples](${SAMPLES}/${samples})`]),
    "",
    `The configuration is [${files.config}](${files.config}), every step a line of [${files.metrics}](${files.metrics}).`,
    "",
  ].join("\n");
}
