import type { Profile, ProfileRow } from "../engine/profiler.ts";
import { percent } from "./format.ts";
import { GOOD, leastTime, type Roofs, shareOf, type Work, withoutDispatches } from "./roofs.ts";
import type { ProfileRecord } from "./schema.ts";

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
  rows: rows.map((row) => ({ ...finite(row), ...(roofs && held(finite(row), roofs)) })),
});

/** A rate over no time at all is none. */
function finite(row: ProfileRow): ProfileRow {
  const [gigabytesPerSecond, gigaflops] = [row.gigabytesPerSecond, row.gigaflops].map((rate) =>
    Number.isFinite(rate) ? rate : 0,
  ) as [number, number];
  return { ...row, gigabytesPerSecond, gigaflops };
}

/** A row's least time by the roofs, as shares of what it took; launches as often as it was called. */
function held(row: ProfileRow, roofs: Roofs): Pick<Row, "limit" | "ofRoofline" | "ofWork"> {
  const { ms, calls, gigabytesPerSecond, gigaflops } = row;
  const work: Work = { bytes: 1e6 * gigabytesPerSecond * ms, flops: 1e6 * gigaflops * ms };
  const least = leastTime(roofs, { ...work, dispatches: calls });
  const ofWork = shareOf(withoutDispatches(roofs), work, ms);
  return {
    ...(least && ms > 0 && { limit: least.limit, ofRoofline: least.ms / ms }),
    ...(ofWork !== undefined && { ofWork }),
  };
}

type Row = ProfileRecord["rows"][number];

/** How a step's kernel time stands to its roofs. */
export interface GoodShare {
  /** Of it, in kernels at 70 % or more of what their operations and bytes take at least. */
  readonly work: number;
  /** And with those at 70 % or more of what their launches take at least. */
  readonly withLaunches: number;
  /** The kernels that launches hold there. */
  readonly launched: readonly Row[];
  /** The others, dearest first. */
  readonly short: readonly Row[];
}

export function goodShare({ rows }: Pick<ProfileRecord, "rows">): GoodShare {
  const working = rows.filter((row) => (row.ofWork ?? 0) >= GOOD);
  const launched = rows.filter((row) => !working.includes(row) && (row.ofRoofline ?? 0) >= GOOD);
  const shareIn = (those: readonly Row[]) => those.reduce((sum, row) => sum + row.share, 0);
  return {
    work: shareIn(working),
    withLaunches: shareIn(working) + shareIn(launched),
    launched,
    short: rows.filter((row) => !working.includes(row) && !launched.includes(row)),
  };
}

/** "43 % of the time is in kernels at 70 % or more of their compute or memory roof, 51 % with those ..." */
export function goodLine(profile: Pick<ProfileRecord, "rows">): string {
  const { work, withLaunches } = goodShare(profile);
  return (
    `${percent(work)} of the time is in kernels at ${percent(GOOD)} or more of their compute or memory roof, ` +
    `${percent(withLaunches)} with those at as much of what launching them takes`
  );
}
