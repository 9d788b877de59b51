import type { Engine } from "../../engine/engine.ts";

export interface FigureContext {
  readonly engine: Engine;
  readonly seed: number;
  /** Share of the usual steps and chains: below 1 for a quick look, whose numbers are worse. */
  readonly budget: number;
  /** Says how far something is. */
  readonly progress: (name: string, done: number, total: number) => void;
}

/** A figure redrawn: its pictures, what was measured, and the same as a table for people. */
export interface FigureResult {
  /** By file name. */
  readonly pictures: Readonly<Record<string, string | Uint8Array>>;
  /** As JSON; the settings that led to the numbers beside them. */
  readonly measured: Readonly<Record<string, unknown>>;
  /** A heading and rows. */
  readonly table: readonly (readonly string[])[];
}

/** A count under a budget; at least 20, so that means over a part of it still have an error. */
export const within = (budget: number, count: number): number => Math.max(20, Math.round(budget * count));
