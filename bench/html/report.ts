import { UsageError } from "../../engine/errors.ts";
import { digits, percent } from "../format.ts";
import { isBusy, type OldRecord } from "../record.ts";
import { rooflinePlot } from "../roofline/plot.ts";
import { GOOD } from "../roofs.ts";
import { type Line, ofKind, type RoofsRecord, type RunRecord } from "../schema.ts";
import { html, Markup } from "./markup.ts";
import { script, style } from "./style.ts";
import { caseTable, coldTable, fusionTable, leftOutTable, profileSection, targetTable } from "./tables.ts";

/**
 * A run as one page that needs nothing else: no file, no network. Made of the run's lines alone, so that a record can be
 * drawn again later. Throws UsageError for lines that hold no run.
 */
export function htmlReport(lines: readonly Line[], old?: OldRecord): string {
  const [run] = ofKind(lines, "run");
  if (!run) throw new UsageError("bench: got lines without a run, expected those of --json");
  const [roofs] = ofKind(lines, "roofs");
  const [cold] = ofKind(lines, "cold");
  const cases = ofKind(lines, "case");
  const [faults, targets, leftOut] = [
    ofKind(lines, "fault"),
    ofKind(lines, "target"),
    ofKind(lines, "left-out"),
  ];
  const [profiles, fusion] = [ofKind(lines, "profile"), ofKind(lines, "fusion")];
  const kernels = cases.filter((c) => c.group !== "roofline");
  const title = `Stein bench: ${run.adapter}`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<header>
<h1>${run.adapter}</h1>
<p class="soft">${run.stein === undefined ? "Stein" : `Stein ${run.stein}`}: its WebGPU kernels against this adapter's own limits, ${run.date.slice(0, 10)}</p>
${cards(roofs, kernels.length, faults.length)}
</header>
<main>
${section("Where it ran", facts(run))}
${faults.length > 0 ? section("Wrong results", faultList(faults)) : undefined}
${targets.length > 0 ? section("Targets", targetTable(targets, promise(run))) : undefined}
${
  roofs && kernels.length > 0
    ? section(
        "Roofline",
        html`<figure>${new Markup(rooflinePlot({ roofs, cases, title: `Roofline of ${run.adapter}` }))}</figure>
<p class="soft">Point at a mark for its case. The dashed line is ${percent(GOOD)} of the roof. Cases without operations or without bytes, such as copies, and those bound by dispatches have no place here; the table has them.</p>`,
      )
    : undefined
}
${section("Cases", caseTable(cases, old))}
${
  leftOut.length > 0
    ? html`<details><summary>${leftOut.length} left out, with reasons</summary>${leftOutTable(leftOut)}</details>`
    : undefined
}
${profiles.length > 0 ? section("Where a step's time goes", html`${profiles.map(profileSection)}`) : undefined}
${fusion.length > 0 ? section("A sampler's update, fused and not", fusionTable(fusion)) : undefined}
${cold ? section("Cold start", coldTable(cold)) : undefined}
</main>
<footer>
<p>Every case was first held against float64; a wrong one is not timed. Roofs, kernels and steps were measured in the same
interleaved rounds. What each column means, and how to cite this: docs/bench.md of Stein.${
    old
      ? html` Compared with the run of ${old.run.date}: a change is named where it is 3 % or more and the middle halves lie apart.`
      : undefined
  }</p>
</footer>
<script>${new Markup(script)}</script>
</body>
</html>
`;
  return page.text;
}

const section = (title: string, content: Markup): Markup => html`<section>
<h2>${title}</h2>
${content}
</section>`;

const clocks = {
  median: "by the wall clock",
  gpu: "by timestamps",
  alone: "by processor time",
} as const satisfies Record<RoofsRecord["by"], string>;

function cards(roofs: RoofsRecord | undefined, kernels: number, faults: number): Markup {
  const entries: [string, string][] = [
    ...(roofs
      ? ([
          ["multiply-add rate", `${digits(roofs.gigaflops)} GFLOP/s`],
          ["copy bandwidth", `${digits(roofs.gigabytesPerSecond)} GB/s`],
        ] as [string, string][])
      : []),
    ...(roofs?.dispatchMicroseconds === undefined
      ? []
      : ([[`a dispatch, ${clocks[roofs.by]}`, `${digits(roofs.dispatchMicroseconds)} µs`]] as [
          string,
          string,
        ][])),
    ["cases timed", String(kernels)],
    ["wrong results", String(faults)],
  ];
  return html`<dl class="cards">${entries.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function facts(run: RunRecord): Markup {
  const { driver, load, features, runtime, platform, cores, date, timestampStep } = run;
  const quiet = load
    ? `average ${load.before.toFixed(1)} before and ${load.after.toFixed(1)} after; other processes took ` +
      `${percent(load.others)} of the cores${isBusy(run) ? ", so that the wall clock is theirs too" : ""}`
    : "not visible from here";
  const rows: [string, string][] = [
    ["adapter", run.adapter],
    ["driver", `${driver.source}, ${[driver.vendor, driver.architecture].filter(Boolean).join(", ")}`],
    ["kind", driver.software ? "software: a processor does the work; says nothing of a GPU" : "hardware"],
    ["features", features.join(", ") || "none"],
    [
      "timestamps",
      timestampStep === undefined ? "none: wall clock only" : `in steps of ${steps(timestampStep)}`,
    ],
    ["host", `${runtime}, ${platform}, ${cores} cores`],
    ["load", quiet],
    ["ended", date],
  ];
  return html`<dl class="facts">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

const steps = (ms: number): string => (ms < 1e-3 ? `${digits(ms * 1e6)} ns` : `${digits(ms * 1e3)} µs`);

const promise = (run: RunRecord): string =>
  `For lavapipe on two idle cores${/llvmpipe/i.test(run.adapter) ? "" : ", which this is not"}. ` +
  (isBusy(run) ? "Without the other processes as far as known, in brackets as measured." : "Medians.");

const faultList = (faults: readonly Extract<Line, { kind: "fault" }>[]): Markup =>
  html`<ul>${faults.map(({ name, what }) => html`<li><strong class="bad">${name}</strong>: ${what}; not timed</li>`)}</ul>`;
