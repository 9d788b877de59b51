import { UsageError } from "../../engine/errors.ts";
import type { Comparison } from "./compare.ts";
import { type EngineName, roster } from "./roster.ts";
import { goalText, type Outcome, verdictOf } from "./verdict.ts";

/** A comparison with when and on what it was made. */
export interface PeersRecord extends Comparison {
  readonly date: string;
  readonly node: string;
  readonly platform: string;
  readonly processor: string;
  readonly rounds: number;
}

/** Above this share of the cores taken by others, times are theirs as much as ours. */
const NOISY = 0.1;

/** The columns that engines were asked to fill, ours first. */
const columnsOf = ({ rows }: Comparison): EngineName[] =>
  (Object.keys(roster) as EngineName[]).filter((name) => rows.some(({ outcomes }) => outcomes[name]));

/** A heading and a row for each workload: medians in milliseconds, the best peer's over ours, the goal and whether it is met. */
export function tableOf(record: Comparison): { table: string[][]; notes: string[] } {
  const columns = columnsOf(record);
  const notes: string[] = [];
  const noteOf = (text: string): number => {
    if (!notes.includes(text)) notes.push(text);
    return notes.indexOf(text) + 1;
  };
  const cell = (name: EngineName, outcome: Outcome | undefined): string => {
    if (!outcome) return "-";
    if ("times" in outcome) return milliseconds(outcome.times.median);
    const { title } = roster[name];
    if ("cannot" in outcome) return `cannot (${noteOf(`${title} ${outcome.cannot}`)})`;
    if ("wrong" in outcome) return `wrong (${noteOf(`${title}: ${outcome.wrong}`)})`;
    return `failed (${noteOf(`${title}: ${outcome.failed}`)})`;
  };
  const rows = record.rows.map((row) => {
    const { ratio, met } = verdictOf(row);
    return [
      row.name,
      ...columns.map((name) => cell(name, row.outcomes[name])),
      ratio === undefined ? "-" : `${ratio.toFixed(ratio < 10 ? 2 : 1)}x`,
      goalText(row.goal),
      met === undefined ? "-" : met ? "met" : "MISSED",
    ];
  });
  const heading = [
    "milliseconds, medians",
    ...columns.map((name) => roster[name].title),
    "best peer / ours",
    "goal",
    "",
  ];
  return { table: [heading, ...rows], notes: notes.map((note, i) => `(${i + 1}) ${note}.`) };
}

/** Three significant digits, whole above 100. */
const milliseconds = (ms: number): string =>
  ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2);

/** Where, with what and how quietly it ran: a line each. */
export function circumstances(record: PeersRecord): string[] {
  const { engines, load, rounds } = record;
  const adapters = [...new Set(Object.values(engines).flatMap(({ adapter }) => adapter ?? []))];
  const untold = columnsOf(record).filter((name) => engines[name] && engines[name].adapter === undefined);
  const versions = Object.assign({}, ...Object.values(engines).map((engine) => engine.versions));
  const others = `other processes took ${(100 * load.others).toFixed(0)} % of them`;
  return [
    `adapter: ${adapters.join("; ")}${adapters.length > 1 ? " (NOT THE SAME)" : ""}` +
      (untold.length > 0
        ? `; ${untold.map((name) => roster[name].title).join(", ")} does not tell its own`
        : ""),
    `packages: ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")}`,
    `host: Node ${record.node}, ${record.platform}, ${record.processor}, ${record.date.slice(0, 10)}, ${rounds} ${rounds === 1 ? "round" : "rounds"}`,
    `load: average ${load.before.toFixed(1)} before and ${load.after.toFixed(1)} after on ${load.cores} cores; ` +
      `${others}${load.others > NOISY ? ": NOISY" : ""}`,
  ];
}

/** The block of a Markdown file that `--write` replaces. */
export const [BEGIN, END] = ["<!-- peers: begin, written by npm run bench:peers -->", "<!-- peers: end -->"];

/** The text with what stands between the markers replaced. Throws UsageError where they are missing or stand twice. */
export function withBlock(path: string, text: string, block: string): string {
  const [before, inside, ...more] = text.split(BEGIN);
  const [, after, ...others] = inside?.split(END) ?? [];
  if (before === undefined || after === undefined || more.length > 0 || others.length > 0)
    throw new UsageError(
      `--write: got ${path} without one block for the table, expected the lines "${BEGIN}" and "${END}"; add them`,
    );
  return `${before}${BEGIN}\n\n${block}\n\n${END}${after}`;
}
