import type { Engine } from "../../engine/engine.ts";
import type { ReferenceCase } from "./case.ts";
import { judge, type NamedValues, type Verdict } from "./compare.ts";
import { kinds } from "./kinds.ts";

export interface Outcome {
  readonly case: ReferenceCase;
  readonly family: string;
  readonly passed: boolean;
  readonly verdicts: readonly Verdict[];
  /** Why the case could not be run. */
  readonly error?: string;
}

/** Runs a case through the engine and holds its results against the file's. Never throws: what fails is reported. */
export async function runCase(engine: Engine, c: ReferenceCase): Promise<Outcome> {
  const kind = kinds[c.kind];
  if (!kind) return { case: c, family: c.kind, passed: false, verdicts: [], error: `unknown kind ${c.kind}` };
  const family = `${c.kind}/${kind.family(c)}`;
  try {
    const results = await kind.run(engine, c);
    const verdicts = judge(c.checks, truthOf(c), results);
    return { case: c, family, verdicts, passed: verdicts.length > 0 && verdicts.every((v) => v.share <= 1) };
  } catch (error) {
    return {
      case: c,
      family,
      passed: false,
      verdicts: [],
      error: error instanceof Error ? error.message : String(error),
    };
  }
}

const truthOf = (c: ReferenceCase): NamedValues =>
  new Map([...c.tensors].map(([name, { data }]) => [name, data]));

export interface FamilySummary {
  readonly family: string;
  cases: number;
  failed: number;
  /** The worst error of the family as a share of its tolerance. */
  worst: number;
}

/** One row for each family, in the order of the cases. */
export function summarise(outcomes: readonly Outcome[]): FamilySummary[] {
  const rows = new Map<string, FamilySummary>();
  for (const { family, passed, verdicts, error } of outcomes) {
    const row = rows.get(family) ?? { family, cases: 0, failed: 0, worst: 0 };
    row.cases++;
    if (!passed) row.failed++;
    row.worst = Math.max(row.worst, error ? Infinity : 0, ...verdicts.map((v) => v.share));
    rows.set(family, row);
  }
  return [...rows.values()];
}

/** What went wrong with a failed case, a line for each group. */
export function explain({ case: c, verdicts, error }: Outcome): string[] {
  if (error !== undefined) return [`${c.kind}/${c.name}: ${error}`];
  const bad = verdicts.filter((v) => !(v.share <= 1));
  if (verdicts.length === 0) return [`${c.kind}/${c.name}: the index names no checks`];
  return bad.map((v) => `${c.kind}/${c.name}: ${v.group}: ${v.detail}`);
}
