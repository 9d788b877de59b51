import type { FisherDivergence } from "../../bench/figures/fisher.ts";
import { element } from "../dom.ts";
import type { CurvePoint } from "./curve.ts";
import type { LearnSettings } from "./settings.ts";

/** A training as numbers. Vectors are [n,2], one after the other. */
export interface LearnValues {
  readonly set: string;
  readonly settings: LearnSettings;
  readonly sigmas: readonly number[];
  /** Of the arrows. */
  readonly shown: { readonly sigma: number; readonly divergence: FisherDivergence | undefined };
  readonly steps: number;
  /** Of every step. */
  readonly losses: readonly number[];
  /** Relative, as they were measured on the way. */
  readonly divergences: readonly CurvePoint[];
  readonly grid: readonly number[];
  readonly learned: readonly number[];
  readonly particles: readonly number[];
}

/** Hands a training to the browser as a JSON file to keep. */
export function saveValues(values: LearnValues): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(values)], { type: "application/json" }));
  element("a", { href: url, download: "stein-learn.json" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
