import { mebibytes } from "../engine/buffers.ts";
import { neededBytes, type StepMemory } from "../train/index.ts";
import type { ColdStep, ColdSteps } from "./cold.ts";
import { aligned, digits, figure, percent, share } from "./format.ts";
import type { LeftOut } from "./grid/grid.ts";
import type { Measured, Timing } from "./harness.ts";
import type { Loading, LoadingReport } from "./loading.ts";
import { goodLine } from "./profile.ts";
import { milliseconds, perSecond, type Rates, rate } from "./rates.ts";
import { change, isBusy, type OldRecord } from "./record.ts";
import { intensityOf } from "./roofs.ts";
import type { CaseRecord, ProfileRecord, RunRecord } from "./schema.ts";
import { verdicts } from "./targets.ts";

/** Everything about a run, as text: where and how quietly it ran, the targets, the table, what was wrong. */
export function report(
  run: RunRecord,
  measured: Measured,
  rates: Rates,
  { old, leftOut = [] }: { old?: OldRecord | undefined; leftOut?: readonly LeftOut[] } = {},
): string {
  const faults = measured.faults.map(({ case: c, what }) => `WRONG, not timed: ${c.name}: ${what}`);
  return [
    ...header(run),
    "",
    ...promises(run, rates),
    "",
    ...table(measured.timings, rates, old),
    ...faults,
    ...(leftOut.length > 0 ? ["", "left out"] : []),
    ...leftOut.map(({ name, reason }) => `  ${name}: ${reason}`),
  ].join("\n");
}

export function header(run: RunRecord): string[] {
  const { adapter, driver, runtime, platform, date, cores, load } = run;
  const busy = load
    ? `average ${load.before.toFixed(1)} before and ${load.after.toFixed(1)} after on ${load.cores} cores; ` +
      `other processes took ${percent(load.others)} of them${isBusy(run) ? ": NOISY" : ""}`
    : `unknown, on ${cores} cores`;
  return [
    `adapter  ${adapter}${driver.software ? " (software: a processor does the work)" : ""}`,
    `host     ${runtime}, ${platform}, ${date}`,
    `load     ${busy}`,
  ];
}

function promises(run: RunRecord, rates: Rates): string[] {
  const where = /llvmpipe/i.test(run.adapter) ? "" : ", which this is not";
  const by = isBusy(run) ? "without the other processes as far as known, in brackets as measured" : "medians";
  const marks = new Map([
    [true, "met   "],
    [false, "MISSED"],
    [undefined, "-     "],
  ]);
  return [
    `targets (for lavapipe on two idle cores${where}): ${by}`,
    ...verdicts(rates, isBusy(run)).flatMap(({ text, met, figures }) => [
      `  ${marks.get(met)}  ${text}${met === undefined ? ": not measured" : ""}`,
      ...figures.map((line) => `            ${line}`),
    ]),
  ];
}

function table(timings: readonly Timing[], rates: Rates, old?: OldRecord): string[] {
  const rows = timings.map((t) => {
    const { name, group, shape, bound, flops, bytes } = t.case;
    const { by } = t;
    const ms = milliseconds(t, by)!;
    const own = rate(t, by);
    return [
      name,
      shape,
      digits(t.wall.median),
      `${digits(t.wall.lower)} - ${digits(t.wall.upper)}`,
      figure(t.gpu?.median),
      figure(t.alone?.median),
      figure(intensityOf(t.case)),
      bound === "dispatch" && own !== undefined ? `${digits(own)} us each` : figure(perSecond(flops, ms)),
      figure(perSecond(bytes, ms)),
      share(rates.ofRoofline(t, by)),
      group === "conv2d" ? share(rates.ofMatmul(t, by)) : "",
      ...(old ? [compared(t, old.cases.get(name))] : []),
    ];
  });
  const titles = [
    "case",
    "shape",
    "median ms",
    "middle half",
    "gpu ms",
    "alone ms",
    "flops/byte",
    "GFLOP/s",
    "GB/s",
    "of roofline",
    "of matmul",
  ];
  const columns = old ? [...titles, "to old"] : titles;
  const ratio = old
    ? [
        `to old: times over those of ${old.run.date}; in capitals where they moved by 3 % or more and beyond the spread`,
      ]
    : [];
  return [...aligned([columns, ...rows], 2), ...legend(timings), ...ratio];
}

const told = {
  alone: "alone ms: a software driver's processor time over the cores, without other processes and waiting",
  gpu: "gpu ms: by the device's timestamps",
} as const;

/** Milliseconds below which a GPU hardly gets going. */
const SHORT = 0.1;

/** Cases of a GPU whose share is not all their kernels': beside so little work launching weighs. */
function short(timings: readonly Timing[]): string[] {
  const found = timings.filter(
    ({ gpu, alone, by, case: c }) =>
      by === "gpu" && !alone && c.bound !== "dispatch" && gpu !== undefined && gpu.median < SHORT,
  );
  if (found.length === 0) return [];
  return [`below ${SHORT} ms, so that launching weighs: ${found.map((t) => t.case.name).join("; ")}`];
}

const legend = (timings: readonly Timing[]): string[] => [
  ...(["gpu", "alone"] as const).filter((by) => timings.some((t) => t[by])).map((by) => told[by]),
  "rates and shares are of the alone time where there is one, else of the gpu time, else of the median; " +
    "of roofline: the least time over the time taken, the longest of flops over the multiply-add rate, bytes over the " +
    "copy bandwidth and launches times an empty one; see docs/bench.md",
  ...short(timings),
];

function compared(t: Timing, old: CaseRecord | undefined): string {
  if (!old) return "new";
  const { ratio, beyondSpread } = change(t, old);
  return `${ratio.toFixed(2)}${beyondSpread ? (ratio > 1 ? " SLOWER" : " FASTER") : ""}`;
}

/** The first step of a process, with and without compiled shaders on the disk. */
export function coldReport({ cold, warm }: ColdSteps): string {
  const line = (name: string, s: ColdStep) =>
    `  ${name}: first step ${digits(s.first)} ms (${s.kernels} kernels compiled in ${digits(s.compile)} ms), ` +
    `second ${digits(s.second)} ms; ${digits(s.total)} ms since the process began`;
  return [
    "first step of the dilated network in a new process",
    line("shader cache empty", cold),
    line("shader cache filled", warm),
  ].join("\n");
}

/** What images cost a training step. */
export function loadingReport({ what, memory, streamed }: LoadingReport): string {
  const tenths = (v: number) => `${(100 * v).toFixed(1)} %`;
  const line = (name: string, { step, reading, waiting }: Loading) =>
    `  ${name}: step ${digits(step)} ms, of it reading images ${tenths(reading / step)}, waiting for them ${tenths(waiting / step)}`;
  return [
    `training step of the demo's network, ${what}`,
    line("decoded before the start", memory),
    line("decoded as they are needed, none twice", streamed),
  ].join("\n");
}

/** Where a step's time goes, kernel by kernel. */
export function profileReport(profile: ProfileRecord): string {
  const { name, rows, ms, dispatches, clock } = profile;
  const lines = rows.map((r) => [
    `${r.kernel} ${r.variant === "{}" ? "" : r.variant}`,
    String(r.calls),
    digits(r.ms),
    share(r.share),
    digits(r.gigabytesPerSecond),
    digits(r.gigaflops),
    share(r.ofWork),
    share(r.ofRoofline),
    r.limit ?? "",
  ]);
  const titles = ["kernel", "calls", "ms", "share", "GB/s", "GFLOP/s", "of work", "of roofline", "limit"];
  return [
    `${name}: ${digits(ms)} ms in ${dispatches} dispatches, by ${clock}`,
    ...aligned([titles, ...lines], 1),
    goodLine(profile),
  ].join("\n");
}

/** A step's memory by its parts, and its peak as a share of their sum. */
export function memoryReport(memory: StepMemory): string {
  const { peak, ...parts } = memory;
  const rows = Object.entries(parts).map(([part, bytes]) => `${part} ${mebibytes(bytes)}`);
  return `memory: ${rows.join(", ")}; peak ${mebibytes(peak)}, ${digits(peak / neededBytes(memory))} of their sum`;
}
