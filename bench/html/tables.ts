import { digits, percent } from "../format.ts";
import { type GoodShare, goodLine, goodShare } from "../profile.ts";
import { change, type OldRecord } from "../record.ts";
import { GOOD } from "../roofs.ts";
import type { CaseRecord, ColdRecord, FusionRecord, Line, ProfileRecord, TargetRecord } from "../schema.ts";
import { html, Markup } from "./markup.ts";

const number = (v: number | undefined): Markup =>
  v === undefined ? html`<td></td>` : html`<td data-value="${v}">${digits(v)}</td>`;

/** A share as a bar behind its figure. */
const bar = (v: number | undefined): Markup =>
  v === undefined
    ? html`<td></td>`
    : html`<td class="share" style="--share:${(100 * Math.min(1, v)).toFixed(1)}%" data-value="${v}">${percent(v)}</td>`;

const words = (text: string | undefined): Markup => html`<td class="text">${text}</td>`;

interface Column {
  readonly title: string;
  readonly hint?: string;
  readonly text?: boolean;
}

const heads = (columns: readonly Column[]): Markup =>
  html`<thead><tr>${columns.map(
    ({ title, hint, text }) =>
      html`<th scope="col"${new Markup(text ? ' class="text"' : "")}${hint ? html` title="${hint}"` : undefined}>${title}</th>`,
  )}</tr></thead>`;

interface TableParts {
  readonly caption: string | Markup;
  readonly columns: readonly Column[];
  readonly rows: readonly Markup[];
  readonly sortable?: boolean;
}

const table = ({ caption, columns, rows, sortable }: TableParts): Markup =>
  html`<div class="wide"><table${new Markup(sortable ? ' class="sortable"' : "")}><caption>${caption}</caption>
${heads(columns)}
<tbody>
${rows}
</tbody></table></div>`;

const limitHint = "what its least time is of: operations, bytes or launches";
const roofHint =
  "the least time over the time taken: the longest of operations over the multiply-add rate, bytes over the copy bandwidth, launches times an empty one";

const caseColumns: readonly Column[] = [
  { title: "case", text: true },
  { title: "family", text: true },
  { title: "shape", text: true },
  { title: "median ms", hint: "by the host's clock, the wait for the device included" },
  { title: "middle half", hint: "a quarter of the rounds took less, a quarter more" },
  { title: "gpu ms", hint: "by the device's timestamps" },
  { title: "alone ms", hint: "a software driver's processor time over the cores" },
  { title: "flops/byte", hint: "arithmetic intensity" },
  { title: "GFLOP/s" },
  { title: "GB/s" },
  { title: "limit", text: true, hint: limitHint },
  { title: "of roofline", hint: roofHint },
];

/** Every case, sortable. */
export function caseTable(cases: readonly CaseRecord[], old: OldRecord | undefined): Markup {
  const columns = old
    ? [...caseColumns, { title: "to old", hint: "time over that of the earlier run" }]
    : caseColumns;
  const rows = cases.map(
    (c) =>
      html`<tr>${[
        words(c.name),
        words(c.group),
        words(c.shape),
        number(c.wall.median),
        html`<td data-value="${c.wall.lower}">${digits(c.wall.lower)} – ${digits(c.wall.upper)}</td>`,
        number(c.gpu?.median),
        number(c.alone?.median),
        number(c.intensity),
        number(c.gigaflops),
        number(c.gigabytesPerSecond),
        words(c.limit),
        bar(c.ofRoofline),
        old ? compared(c, old.cases.get(c.name)) : undefined,
      ]}</tr>`,
  );
  const caption =
    "Medians over interleaved rounds. Rates and shares are of the alone time where there is one, else of the gpu time, " +
    "else of the median. A click on a head sorts.";
  return table({ caption, columns, rows, sortable: true });
}

function compared(now: CaseRecord, then: CaseRecord | undefined): Markup {
  if (!then) return html`<td>new</td>`;
  const { ratio, beyondSpread } = change(now, then);
  if (!beyondSpread) return html`<td data-value="${ratio}">${ratio.toFixed(2)}</td>`;
  const slower = ratio > 1;
  return html`<td class="${slower ? "bad" : "good"}" data-value="${ratio}">${ratio.toFixed(2)} ${slower ? "slower" : "faster"}</td>`;
}

const marks = { met: html`<span class="good">✓ met</span>`, missed: html`<span class="bad">✗ missed</span>` };

export const targetTable = (targets: readonly TargetRecord[], caption: string): Markup =>
  table({
    caption,
    columns: [
      { title: "target", text: true },
      { title: "verdict", text: true },
      { title: "measured", text: true },
    ],
    rows: targets.map(
      ({ text, met, figures }) =>
        html`<tr>${[
          words(text),
          html`<td class="text">${met === undefined ? "not measured" : met ? marks.met : marks.missed}</td>`,
          words(figures.join("; ")),
        ]}</tr>`,
    ),
  });

export const leftOutTable = (lines: readonly Extract<Line, { kind: "left-out" }>[]): Markup =>
  table({
    caption: "What belongs to the networks and was not measured",
    columns: [
      { title: "case", text: true },
      { title: "reason", text: true },
    ],
    rows: lines.map(({ name, reason }) => html`<tr>${[words(name), words(reason)]}</tr>`),
  });

/** A step's kernels, and what of its time is well spent. */
export function profileSection(profile: ProfileRecord): Markup {
  const { launched, short } = goodShare(profile);
  const lacking = short.filter((row) => row.share >= 0.01);
  const named = (rows: GoodShare["short"]): string =>
    rows
      .map(
        (r) =>
          `${r.kernel} (${percent(r.share)} of the time${r.ofRoofline === undefined ? "" : `, at ${percent(r.ofRoofline)}`})`,
      )
      .join(", ");
  return html`<h3>${profile.name}</h3>
<p class="verdict">${goodLine(profile)}.</p>
${launched.length > 0 ? html`<p>Launching is most of what these take: ${named(launched)}.</p>` : undefined}
${lacking.length > 0 ? html`<p>Short of it, with 1 % of the time or more: ${named(lacking)}.</p>` : undefined}
${table({
  caption: `${digits(profile.ms)} ms in ${profile.dispatches} dispatches, by ${profile.clock}`,
  columns: [
    { title: "kernel", text: true },
    { title: "variant", text: true },
    { title: "calls" },
    { title: "ms" },
    { title: "share of the time" },
    { title: "GB/s" },
    { title: "GFLOP/s" },
    { title: "of work", hint: "the same as of roofline without launches: its compute or memory roof" },
    { title: "limit", text: true, hint: limitHint },
    { title: "of roofline", hint: `${roofHint}; ${percent(GOOD)} or more counts as good` },
  ],
  rows: profile.rows.map(
    (r) =>
      html`<tr>${[
        words(r.kernel),
        words(r.variant === "{}" ? "" : r.variant.replaceAll('"', "").replaceAll(",", ", ")),
        html`<td>${r.calls}</td>`,
        number(r.ms),
        bar(r.share),
        number(r.gigabytesPerSecond),
        number(r.gigaflops),
        bar(r.ofWork),
        words(r.limit),
        bar(r.ofRoofline),
      ]}</tr>`,
  ),
})}`;
}

const paths = {
  separate: "separate ops",
  fused: "one update kernel",
  network: "in the network's last kernel",
} as const;

export const fusionTable = (rows: readonly FusionRecord[]): Markup =>
  table({
    caption: html`A sampler's step of <code>${rows[0]!.network}</code> by every path, beside the network alone. The update's cost is what the step takes beyond the network, of the network's time.`,
    columns: [
      { title: "update", text: true },
      { title: "path", text: true },
      { title: "batch" },
      { title: "kernels" },
      { title: "MB moved" },
      { title: "step ms" },
      { title: "middle half" },
      { title: "alone ms" },
      { title: "network ms" },
      { title: "beyond the network" },
    ],
    rows: rows.map(
      (r) =>
        html`<tr>${[
          words(r.update),
          words(`${paths[r.fusion]}, ${r.replayed ? "replayed" : "launched"}`),
          html`<td>${r.batch}</td>`,
          html`<td>${r.kernels}</td>`,
          number(r.bytes / 1e6),
          number(r.step.wall.median),
          html`<td>${digits(r.step.wall.lower)} – ${digits(r.step.wall.upper)}</td>`,
          number(r.step.alone?.median),
          number(r.alone.time.wall.median),
          html`<td data-value="${r.share}">${percent(r.share)}</td>`,
        ]}</tr>`,
    ),
  });

export const coldTable = ({ cold, warm }: ColdRecord): Markup =>
  table({
    caption: "The first training step of the dilated network in a new process, milliseconds",
    columns: [
      { title: "shader cache", text: true },
      { title: "kernels" },
      { title: "compiling" },
      { title: "first step" },
      { title: "second step" },
      { title: "since the process began" },
    ],
    rows: Object.entries({ empty: cold, filled: warm }).map(
      ([name, s]) =>
        html`<tr>${[
          words(name),
          html`<td>${s.kernels}</td>`,
          number(s.compile),
          number(s.first),
          number(s.second),
          number(s.total),
        ]}</tr>`,
    ),
  });
