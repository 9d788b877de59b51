import type { Check } from "./case.ts";

export type Values = ArrayLike<number>;
export type NamedValues = ReadonlyMap<string, Values>;

/** How a check went. */
export interface Verdict {
  readonly group: string;
  /** The worst error as a share of its tolerance: at most 1 passes. Infinity for NaN and for what is missing. */
  readonly share: number;
  /** The numbers behind it, for people. */
  readonly detail: string;
}

/** Holds results against their truth, group by group. */
export function judge(checks: readonly Check[], truth: NamedValues, results: NamedValues): Verdict[] {
  const alone = new Set(checks.map((check) => check.group));
  return checks.map((check) => compare(check, namesOf(check.group, truth, alone), truth, results));
}

/**
 * One group: largest absolute error, relative L2 error over all its tensors as one vector, and the bound of each
 * tensor where there are such. Truth decides which tensors there are.
 */
function compare(check: Check, names: readonly string[], truth: NamedValues, results: NamedValues): Verdict {
  const { group } = check;
  const fail = (detail: string): Verdict => ({ group, share: Infinity, detail });
  if (names.length === 0) return fail("the file has no such tensor");
  const missing = names.filter((name) => !results.has(name));
  if (missing.length > 0)
    return fail(`no result for ${missing.slice(0, 3).join(", ")}${missing.length > 3 ? ", ..." : ""}`);

  let worst = 0;
  let squares = 0;
  let norm = 0;
  const parts: [share: number, detail: string][] = [];
  for (const name of names) {
    const [expected, got] = [truth.get(name)!, results.get(name)!];
    if (expected.length !== got.length)
      return fail(`${name} has ${got.length} values, expected ${expected.length}`);
    let largest = 0;
    for (let i = 0; i < expected.length; i++) {
      const error = Math.abs(got[i]! - expected[i]!);
      largest = Math.max(largest, error); // NaN stays NaN
      squares += error ** 2;
      norm += expected[i]! ** 2;
    }
    worst = Math.max(worst, largest);
    const bound = check.tol_max_abs_each?.[name];
    if (bound !== undefined)
      parts.push([ratio(largest, bound), `${name} is off by ${show(largest)} of ${show(bound)}`]);
  }
  if (check.exact) parts.push([ratio(worst, 0), `off by ${worst}, expected equal`]);
  if (check.tol_max_abs !== undefined)
    parts.push([
      ratio(worst, check.tol_max_abs),
      `max abs error ${show(worst)} of ${show(check.tol_max_abs)}`,
    ]);
  if (typeof check.tol_rel_l2 === "number" && norm > 0) {
    const relative = Math.sqrt(squares / norm);
    parts.push([
      ratio(relative, check.tol_rel_l2),
      `relative L2 error ${show(relative)} of ${show(check.tol_rel_l2)}`,
    ]);
  }
  if (parts.length === 0) return fail("the check names no bound");
  const [share, detail] = parts.reduce((a, b) => (b[0] > a[0] ? b : a));
  return { group, share, detail };
}

/** Tensors of a group: not those that have a check of their own, nor the float32 run's values. */
function namesOf(group: string, truth: NamedValues, alone: ReadonlySet<string>): string[] {
  if (!group.endsWith("*")) return truth.has(group) ? [group] : [];
  const prefix = group.slice(0, -1);
  return [...truth.keys()].filter(
    (name) => name.startsWith(prefix) && !name.endsWith(".f32") && !alone.has(name),
  );
}

function ratio(error: number, bound: number): number {
  if (Number.isNaN(error)) return Infinity;
  return bound > 0 ? error / bound : error === 0 ? 0 : Infinity;
}

const show = (value: number): string => value.toPrecision(2);
