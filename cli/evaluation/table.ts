import { aligned } from "../../bench/format.ts";
import type { BitsReport } from "./bits.ts";
import type { Figure } from "./figures.ts";
import type { Found } from "./neighbours.ts";

/** Figures as lines of a table: the samples between other real images and noise. */
export function figureTable(figures: readonly Figure[]): string[] {
  const head = ["", "samples", "", "other real", "noise", "images", "better"];
  const rows = figures.map((f) => [
    f.name,
    shown(f.value),
    f.error === undefined ? "" : `+- ${shown(f.error)}`,
    f.real === null ? "-" : shown(f.real),
    f.noise === null ? "-" : shown(f.noise),
    f.reference === null ? `${f.samples}` : `${f.samples} to ${f.reference}`,
    f.better,
  ]);
  return aligned([head, ...rows], 1);
}

/** What the search for copies found, a line for each space. */
export const copyLines = (copies: readonly Found[]): string[] =>
  copies.map(({ features, median, nearer, z, count, train }) => {
    const verdict =
      z > 3 ? "nearer than chance: copies?" : z < -3 ? "farther than chance" : "as chance has it";
    return (
      `nearest of ${train} training images, ${features}: median ${shown(median.samples)} of ${count.samples} samples, ` +
      `${shown(median.heldBack)} of ${count.heldBack} held-back images; samples are nearer in ` +
      `${(100 * nearer).toFixed(0)} % of pairs, z ${z.toFixed(1)}: ${verdict}`
    );
  });

export const bitsLine = ({ bitsPerDim, standardError, images, nfe }: BitsReport): string =>
  `${bitsPerDim.toFixed(4)} bits/dim${standardError === null ? "" : ` +- ${standardError.toFixed(4)}`} of ` +
  `${images} held-back images, ${nfe.toFixed(0)} evaluations`;

/** Four figures, whatever the size. */
const shown = (value: number): string =>
  value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6)
    ? value.toPrecision(4)
    : value.toExponential(2);
