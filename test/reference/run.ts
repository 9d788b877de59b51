/**
 * Runs the cases of a reference folder through the engine: npm run reference -- FOLDER [--kind K] [--case TEXT]
 * [--limits default].
 * Prints a line for each kind and op with the worst error as a share of its tolerance, then what failed, and closes
 * with `N passed, N failed`. Exit code 1 if any case failed, 2 when it cannot start.
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { adapterOf } from "../support/adapter.ts";
import { type ReferenceCase, readCases } from "./case.ts";
import { explain, type Outcome, runCase, summarise } from "./suite.ts";

const USAGE = `npm run reference -- FOLDER [--kind KIND] [--case TEXT] [--limits default]
  FOLDER        a reference folder: index.json and its files
  --kind KIND   only cases of this kind (may be repeated)
  --case TEXT   only cases whose name contains TEXT (may be repeated)
  --limits L    default: as on the smallest adapter there may be, by WebGPU's default limits and without optional features;
                adapter, unless given: all that this one has`;

function parse(argv: readonly string[]) {
  const options = {
    kind: { type: "string", multiple: true },
    case: { type: "string", multiple: true },
    limits: { type: "string" },
    help: { type: "boolean", short: "h" },
  } as const;
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
  return {
    folder: positionals[0],
    kinds: values.kind,
    names: values.case,
    limits: values.limits,
    help: values.help,
  };
}

function select(
  cases: readonly ReferenceCase[],
  kinds?: readonly string[],
  names?: readonly string[],
): ReferenceCase[] {
  return cases.filter(
    (c) => (kinds?.includes(c.kind) ?? true) && (names?.some((n) => c.name.includes(n)) ?? true),
  );
}

function report(outcomes: readonly Outcome[]): void {
  const rows = summarise(outcomes);
  const width = Math.max(...rows.map((r) => r.family.length));
  for (const { family, cases, failed, worst } of rows) {
    const count = `${cases} case${cases === 1 ? " " : "s"}`.padStart(9);
    const share = Number.isFinite(worst)
      ? `worst error ${(100 * worst).toFixed(1).padStart(5)} % of tolerance`
      : "no number";
    console.log(`${family.padEnd(width)} ${count}  ${share}${failed > 0 ? `  ${failed} FAILED` : ""}`);
  }
  const failures = outcomes.filter((o) => !o.passed);
  if (failures.length > 0) console.log(`\n${failures.flatMap(explain).join("\n")}`);
}

async function main(): Promise<number> {
  const { folder, kinds, names, limits, help } = parse(process.argv.slice(2));
  if (help) {
    console.log(USAGE);
    return 0;
  }
  if (!folder) throw new UsageError(`reference: got no folder, expected one\n${USAGE}`);
  const options = adapterOf(limits);
  const cases = select(readCases(resolve(folder)), kinds, names);
  if (cases.length === 0)
    throw new UsageError("reference: no case is of that kind and name; leave out --kind or --case");
  const engine = await Engine.create(options);
  const started = performance.now();
  const outcomes: Outcome[] = [];
  for (const c of cases) {
    outcomes.push(await runCase(engine, c));
    if (process.stderr.isTTY)
      process.stderr.write(`\r${outcomes.length}/${cases.length} ${c.name.slice(0, 60).padEnd(60)}`);
  }
  if (process.stderr.isTTY) process.stderr.write(`\r${" ".repeat(80)}\r`);
  report(outcomes);
  const passed = outcomes.filter((o) => o.passed).length;
  console.log(`\nin ${((performance.now() - started) / 1000).toFixed(1)} s`);
  console.log(`${passed} passed, ${outcomes.length - passed} failed`);
  engine.destroy();
  return passed === outcomes.length ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error instanceof UsageError ? error.message : error);
  process.exitCode = 2;
}
