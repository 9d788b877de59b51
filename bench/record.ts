import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { adapterName } from "../engine/platform/platform.ts";
import type { FusionRow } from "./fusion.ts";
import type { Measured, Timing } from "./harness.ts";
import type { Host, Load } from "./host.ts";
import { milliseconds, perSecond, Rates, rate, units } from "./rates.ts";
import { intensityOf, leastTime } from "./roofs.ts";
import type { CaseRecord, FusionRecord, Line, RunRecord } from "./schema.ts";
import { verdicts } from "./targets.ts";
import { VERSION } from "./version.ts";

/** Where a run took place. `load`: what `host.watchLoad` told of it. */
export const describeRun = (
  engine: Engine,
  host: Host,
  { load, timestampStep }: { load?: Load | undefined; timestampStep?: number | undefined } = {},
): RunRecord => ({
  kind: "run",
  version: VERSION,
  ...(host.stein !== undefined && { stein: host.stein }),
  date: new Date().toISOString(),
  adapter: adapterName(engine.driver),
  driver: engine.driver,
  features: [...engine.device.features].sort(),
  runtime: host.runtime,
  platform: host.platform,
  cores: host.cores,
  ...(timestampStep !== undefined && { timestampStep }),
  ...(load && { load }),
});

export function describeCase(t: Timing, rates: Rates): CaseRecord {
  const { name, group, shape, bound, bytes, flops, dispatches } = t.case;
  const { rounds, wall, gpu, alone, by } = t;
  const ms = milliseconds(t, by)!;
  const roofs = rates.roofs(by);
  return defined({
    kind: "case",
    name,
    group,
    shape,
    bound,
    rounds,
    bytes,
    flops,
    dispatches,
    wall,
    gpu,
    alone,
    by,
    rate: rate(t, by),
    unit: units[bound],
    gigaflops: perSecond(flops, ms),
    gigabytesPerSecond: perSecond(bytes, ms),
    intensity: intensityOf(t.case),
    limit: roofs && leastTime(roofs, t.case)?.limit,
    ofRoofline: rates.ofRoofline(t, by),
  });
}

/** Did other processes take so much that times are theirs as much as ours? */
export const isBusy = ({ load }: RunRecord): boolean => (load?.others ?? 0) > 0.1;

/** Every line of a run of kernels: the run, the roofs, targets, cases, what was wrong and what left out. */
export function linesOf(
  run: RunRecord,
  { timings, faults }: Measured,
  leftOut: readonly { name: string; reason: string }[] = [],
): Line[] {
  const rates = new Rates(timings);
  const by = timings.find((t) => t.case.bound !== "dispatch")?.by ?? "median";
  const roofs = rates.roofs(by);
  return [
    run,
    ...(roofs ? [defined({ kind: "roofs" as const, by, ...roofs })] : []),
    ...verdicts(rates, isBusy(run)).map((v) =>
      defined({ kind: "target" as const, ...v, figures: [...v.figures] }),
    ),
    ...timings.map((t) => describeCase(t, rates)),
    ...faults.map(({ case: { name }, what }) => ({ kind: "fault" as const, name, what })),
    ...leftOut.map((one) => ({ kind: "left-out" as const, ...one })),
  ];
}

/** `network`: what was sampled. */
export const describeFusion = (row: FusionRow, network: string): FusionRecord => {
  const { network: alone, ...rest } = row;
  return { kind: "fusion", ...rest, network, alone };
};

/** Lines as the text of a file. */
export const textOf = (lines: readonly Line[]): string => lines.map((l) => `${JSON.stringify(l)}\n`).join("");

export interface OldRecord {
  readonly run: RunRecord;
  readonly cases: ReadonlyMap<string, CaseRecord>;
}

/** Throws UsageError for a run on another adapter, whose times tell nothing of a change. */
export function requireSameAdapter(engine: Engine, { run }: OldRecord, file: string): void {
  const here = adapterName(engine.driver);
  if (run.adapter !== here)
    throw new UsageError(
      `bench: ${file} was measured on ${run.adapter}, this is ${here}: times of two adapters tell nothing of a ` +
        `change; compare with a run of this one`,
    );
}

/** A change of less is not called one, however steady the times. */
const LEAST_CHANGE = 0.03;

/**
 * How a case's time changed: new over old, and whether it did so by 3 % or more and the middle halves lie apart. By
 * processor time or timestamps where both runs have rates of them, else by the wall clock.
 */
export function change(t: Pick<CaseRecord, "wall" | "gpu" | "alone" | "by">, old: CaseRecord) {
  const of = (which: typeof t | CaseRecord) =>
    t.by === old.by && t.by !== "median" ? which[t.by]! : which.wall;
  const [now, then] = [of(t), of(old)];
  const ratio = now.median / then.median;
  const apart = now.lower > then.upper || now.upper < then.lower;
  return { ratio, beyondSpread: apart && Math.abs(ratio - 1) >= LEAST_CHANGE };
}

/** Without the fields that are undefined. */
const defined = <T extends object>(fields: T): T =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
