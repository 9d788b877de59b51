import { type FoldVariant, foldVariant, foldWays } from "../../kernels/folds.ts";
import { type RunVariant, runVariant, runWays } from "../../kernels/runs.ts";
import { bucket, type Tunable } from "../choices.ts";

/** Rows of so many elements. */
export interface Table {
  readonly rows: number;
  readonly columns: number;
}

type Run<P, W extends FoldVariant | RunVariant> = Tunable<P, W>["run"];

/**
 * Ways to join the elements of each row: they round differently, so the number of rows does not count. `run` launches
 * the kernel at hand.
 */
export const folding = <P extends Table>(
  family: string,
  run: Run<P, FoldVariant>,
): Tunable<P, FoldVariant> => ({
  family,
  classOf: ({ columns }) => `rows of ${columns}`,
  heuristic: (hw, { columns }) => foldVariant(hw, columns),
  ways: (hw, { columns }) => foldWays(hw, columns),
  run,
});

/** Ways to deal elements of rows out to threads: each computes the same numbers. */
export const dealing = <P extends Table>(
  family: string,
  run: Run<P, RunVariant>,
): Tunable<P, RunVariant> => ({
  family,
  classOf: ({ rows, columns }) => `${bucket(rows)} rows of ${columns}`,
  heuristic: (hw, { columns }) => runVariant(hw, columns),
  ways: (hw, { columns }) => runWays(hw, columns),
  run,
});
