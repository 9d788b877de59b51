import type { FisherDivergence } from "../../bench/figures/fisher.ts";
import { saveJson } from "../save.ts";
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
export const saveValues = (values: LearnValues): void => saveJson("stein-learn.json", values);
