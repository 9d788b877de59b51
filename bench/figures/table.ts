import type { Estimate } from "./fisher.ts";

/** Rows, the heading first, as a Markdown table with its columns lined up. */
export function markdownTable([heading = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = heading.map((cell, i) => Math.max(cell.length, 3, ...rows.map((row) => row[i]!.length)));
  const show = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [show(heading), show(widths.map((width) => "-".repeat(width))), ...rows.map(show)].join("\n");
}

/** 0.0312 ± 0.0004: the error to two digits, the mean to as many places. */
export function plusMinus({ mean, error }: Estimate): string {
  if (!(error > 0 && Number.isFinite(error))) return mean.toPrecision(4);
  const places = Math.min(10, Math.max(0, 1 - Math.floor(Math.log10(error))));
  return `${mean.toFixed(places)} ± ${error.toFixed(places)}`;
}
