import type { EngineName, PeerName } from "./roster.ts";
import { peerNames } from "./roster.ts";
import type { Goal } from "./workloads.ts";

/** Milliseconds over the rounds. */
interface Times {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly rounds: number;
}

/** What came of a workload in an engine. */
export type Outcome =
  | { readonly times: Times }
  | { readonly cannot: string }
  /** Other results than ours: not timed. */
  | { readonly wrong: string }
  /** It threw, or its process ended. */
  | { readonly failed: string };

export interface Row {
  readonly name: string;
  readonly goal: Goal;
  readonly outcomes: Readonly<Partial<Record<EngineName, Outcome>>>;
}

interface Verdict {
  /** The peer with the least median, of those that were right. */
  readonly best?: { readonly peer: PeerName; readonly ms: number };
  /** The best peer's median over ours. */
  readonly ratio?: number;
  /** Undefined where ours or every peer has no time, and no other part of the goal is missed. */
  readonly met?: boolean;
}

/** A row held against its goal, by medians. A peer that is wrong or cannot counts for nothing. */
export function verdictOf({ goal, outcomes }: Row): Verdict {
  const { stein } = outcomes;
  if (!stein) return {};
  if (!("times" in stein)) return "cannot" in stein ? {} : { met: false };
  const mine = stein.times.median;
  const inTime = goal.within === undefined || mine <= goal.within;
  const [best] = peerNames
    .flatMap((peer) => {
      const outcome = outcomes[peer];
      return outcome && "times" in outcome ? [{ peer, ms: outcome.times.median }] : [];
    })
    .toSorted((a, b) => a.ms - b.ms);
  if (!best) return inTime ? {} : { met: false };
  const ratio = best.ms / mine;
  return { best, ratio, met: ratio >= goal.times && inTime };
}

/** "2x", "1x, below 8,000 ms" */
export const goalText = ({ times, within }: Goal): string =>
  `${times}x${within === undefined ? "" : `, below ${within.toLocaleString("en")} ms`}`;

/** The middle, the least and the most. Throws RangeError without any. */
export function timesOf(ms: readonly number[]): Times {
  if (ms.length === 0) throw new RangeError("times: got none, expected one or more");
  const sorted = ms.toSorted((a, b) => a - b);
  const half = (sorted.length - 1) / 2;
  const median = (sorted[Math.floor(half)]! + sorted[Math.ceil(half)]!) / 2;
  return { median, least: sorted[0]!, most: sorted.at(-1)!, rounds: sorted.length };
}
