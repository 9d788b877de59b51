import { readFileSync } from "node:fs";
import { nearest, UsageError } from "../../engine/errors.ts";
import { type PeerName, peerNames } from "./roster.ts";
import { withBlock } from "./tables.ts";
import { type Workload, workloads } from "./workloads.ts";

/** The workloads whose name holds this, in any case. Throws UsageError where there is none. */
export function chosenBy(filter: string): Workload[] {
  const wanted = filter.toLowerCase();
  const chosen = workloads.filter(({ name }) => name.toLowerCase().includes(wanted));
  if (chosen.length === 0)
    throw new UsageError(
      `got --filter ${filter}, expected part of a workload's name; one of: ${workloads.map(({ name }) => name).join("; ")}`,
    );
  return chosen;
}

/** "tfjs,ort" as names of peers. Throws UsageError for others. */
export function peersOf(text: string): PeerName[] {
  return text.split(",").map((word) => {
    const name = word.trim();
    const known = peerNames.find((peer) => peer === name);
    if (known) return known;
    const meant = nearest(name, peerNames);
    throw new UsageError(
      `got --peers ${text} with "${name}", expected some of ${peerNames.join(",")}${meant ? `; did you mean ${meant}?` : ""}`,
    );
  });
}

/** A Markdown file with a place for the table. Throws UsageError for another, or none. */
export function readPage(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new UsageError(
      `got --write ${path}, expected a Markdown file that can be read (${(cause as Error).message})`,
    );
  }
  withBlock(path, text, ""); // complains where there is no place for the table
  return text;
}
