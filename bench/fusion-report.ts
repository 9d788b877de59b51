import { aligned, digits, percent } from "./format.ts";
import { type FusionRow, pathInWords } from "./fusion.ts";
import { header } from "./report.ts";
import type { RunRecord } from "./schema.ts";

const alone = ({ alone }: FusionRow["step"]): string => (alone ? digits(alone.median) : "");

const titles = [
  "batch",
  "update",
  "path",
  "kernels",
  "MB moved",
  "step ms",
  "middle half",
  "alone ms",
  "network ms",
  "alone ms",
  "beyond the network",
];

/** What each path of a sampler's step costs, as text. */
export function fusionReport(run: RunRecord, network: string, rows: readonly FusionRow[]): string {
  const lines = rows.map((row) => [
    String(row.batch),
    row.update,
    `${pathInWords[row.fusion]}, ${row.replayed ? "replayed" : "launched"}`,
    `${row.kernels} (${row.network.kernels})`,
    `${digits(row.bytes / 1e6)} (${digits(row.network.bytes / 1e6)})`,
    digits(row.step.wall.median),
    `${digits(row.step.wall.lower)} - ${digits(row.step.wall.upper)}`,
    alone(row.step),
    digits(row.network.time.wall.median),
    alone(row.network.time),
    percent(row.share),
  ]);
  return [
    ...header(run),
    `network  ${network}`,
    "",
    ...aligned([titles, ...lines], 3),
    "",
    "langevin: a step of known size; corrector: one whose size the norms of noise and score decide, on the device",
    "in brackets: the network alone, replayed; all medians of interleaved rounds",
    "alone: a software driver's processor time over the cores, by which shares go where it can be read",
    "the corrector needs the whole score before any of it moves, so that no update can be in the network's last kernel",
  ].join("\n");
}
