import type { Profile } from "../engine/profiler.ts";
import type { Roofs } from "./roofs.ts";
import type { ProfileRecord } from "./schema.ts";

/** Of its roof, from which on a kernel counts as good. */
export const GOOD = 0.7;

/** A profile as a line, each kernel held against the roofs by the same clock. */
export const describeProfile = (
  name: string,
  { clock, ms, dispatches, rows }: Profile,
  roofs: Roofs | undefined,
): ProfileRecord => ({
  kind: "profile",
  name,
  clock,
  ms,
  dispatches,
  rows: rows.map((row) => {
    const gigabytesPerSecond = finite(row.gigabytesPerSecond);
    const gigaflops = finite(row.gigaflops);
    const ofRoofline =
      roofs && Math.max(gigaflops / roofs.gigaflops, gigabytesPerSecond / roofs.gigabytesPerSecond);
    return { ...row, gigabytesPerSecond, gigaflops, ...(ofRoofline !== undefined && { ofRoofline }) };
  }),
});

/** A rate over no time at all is none. */
const finite = (rate: number): number => (Number.isFinite(rate) ? rate : 0);

/** How much of a step's kernel time is in kernels at 70 % of their roof or more; the others, dearest first. */
export function goodShare({ rows }: Pick<ProfileRecord, "rows">): {
  share: number;
  short: ProfileRecord["rows"];
} {
  const good = rows.filter((row) => (row.ofRoofline ?? 0) >= GOOD);
  return {
    share: good.reduce((sum, row) => sum + row.share, 0),
    short: rows.filter((row) => !good.includes(row)),
  };
}

/** "43 % of the time is in kernels at 70 % or more of their roofline" */
export const goodLine = (profile: Pick<ProfileRecord, "rows">): string =>
  `${(100 * goodShare(profile).share).toFixed(0)} % of the time is in kernels at ${100 * GOOD} % or more of their roofline`;
