import { families as byKind } from "../../bench/cases.ts";
import type { Case } from "../../bench/harness.ts";
import { UsageError } from "../../engine/errors.ts";

/** A browser gives no word of the memory there is: the smaller sizes. */
const families = byKind.cpu;

/** One case of each kind that a sampling or training step is made of, small enough for a processor that plays GPU. */
const quick = [
  "conv 3x3 64->64 32x32 forward",
  "conv 3x3 64->64 32x32 weight gradient",
  "conv 3x3 16->16 28x28 forward",
  "attention, forward",
  "instance norm++, ELU, forward",
  "group norm 8, SiLU, forward",
  "softmax, forward",
  "sum of each channel",
  "silu",
  "add, same shape",
  "random normal",
  "langevin step",
  "DSM loss, both passes",
  "tiny adds, replayed",
];

/** What is measured: one case of each kind, whole families, or everything. */
export type Extent = "quick" | "families" | "all";

/** The cases to measure beside the roofline and the matrix product, which always are. Throws UsageError for none. */
export function chosen(extent: Extent, groups: ReadonlySet<string>): readonly Case[] {
  if (extent === "all") return families;
  if (extent === "quick") return quick.map((name) => families.find((c) => c.name === name)!);
  if (groups.size === 0)
    throw new UsageError("Families: got none, expected at least one; tick some, or take the quick selection");
  return families.filter((c) => groups.has(c.group));
}
