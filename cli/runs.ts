import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { UsageError } from "../engine/errors.ts";
import { adapterName } from "../engine/platform/platform.ts";
import { parseAnyConfig } from "./config.ts";
import { isFolder } from "./is-folder.ts";
import { bestEvaluation, type Metrics, meanLoss, readMetrics } from "./metrics-log.ts";
import { earlier, networkName, RECENT } from "./report.ts";
import { files } from "./run-folder.ts";

/** A run in a line. What cannot be known of it is null. */
export interface RunSummary {
  /** Its folder within the one looked through. */
  readonly name: string;
  readonly folder: string;
  readonly network: string;
  readonly parameters: number | null;
  /** Steps taken, as far as they are written down. */
  readonly steps: number;
  readonly planned: number;
  /** Mean of the last steps. */
  readonly lastLoss: number | null;
  /** The least loss on held-back images, and after how many steps. */
  readonly bestEvaluation: { readonly step: number; readonly loss: number } | null;
  readonly imagesPerSecond: number | null;
  readonly adapter: string | null;
  /** The last line's time, ISO 8601. */
  readonly when: string;
}

export interface FoundRun {
  readonly summary: RunSummary;
  readonly rows: readonly Metrics[];
}

/** Folders within folders that are looked through: runs/ve/ncsn/cifar10 is one of four. */
const DEEPEST = 5;

/**
 * The runs in a folder and in those within it, by name; of one that cannot be read, `onFault` is told why. Throws UsageError
 * when there is no such folder.
 */
export function findRuns(folder: string, onFault: (fault: string) => void): FoundRun[] {
  if (!isFolder(folder))
    throw new UsageError(
      `runs: got ${folder}, which is no folder, expected one of runs; train one first, or give another folder`,
    );
  /** What is in a folder or a run; nothing of one that cannot be read. */
  const within = <T>(path: string, read: () => T[]): T[] => {
    try {
      return read();
    } catch (fault) {
      const { code } = fault as NodeJS.ErrnoException;
      if (fault instanceof UsageError) onFault(fault.message);
      else if (code !== undefined)
        onFault(`runs: cannot read ${path} (${code}); check what it is and its rights`);
      else throw fault;
      return [];
    }
  };
  const runFolders = (path: string, depth: number): string[] => {
    if ([files.config, files.metrics].every((name) => existsSync(join(path, name)))) return [path];
    const inside = depth === 0 ? [] : within(path, () => readdirSync(path, { withFileTypes: true }));
    return inside
      .filter((entry) => entry.isDirectory() && entry.name !== "node_modules" && !entry.name.startsWith("."))
      .map(({ name }) => name)
      .sort()
      .flatMap((name) => runFolders(join(path, name), depth - 1));
  };
  const nameOf = (path: string) => relative(folder, path).split(sep).join("/") || ".";
  return runFolders(folder, DEEPEST).flatMap((path) => within(path, () => [open(path, nameOf(path))]));
}

function open(folder: string, name: string): FoundRun {
  const path = join(folder, files.config);
  const config = parseAnyConfig(readFileSync(path, "utf8"), path);
  const metrics = join(folder, files.metrics);
  const rows = readMetrics(metrics);
  const report = earlier(folder);
  const seconds = rows.at(-1)?.seconds ?? 0;
  const { batchSize, steps } = config.training;
  const summary: RunSummary = {
    name,
    folder,
    network: networkName(config),
    parameters: report?.parameters ?? null,
    steps: rows.length,
    planned: steps,
    lastLoss: rows.length > 0 ? meanLoss(rows.slice(-RECENT)) : null,
    bestEvaluation: bestEvaluation(rows) ?? null,
    imagesPerSecond: seconds > 0 ? (batchSize * rows.length) / seconds : null,
    adapter: report ? adapterName(report.system.driver) : null,
    when: statSync(metrics).mtime.toISOString(),
  };
  return { summary, rows };
}
