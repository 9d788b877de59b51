/** The page of a run: whole, safe, and nothing needed besides. */
import { describe, expect, test } from "vitest";
import { html, Markup } from "../../bench/html/markup.ts";
import { htmlReport } from "../../bench/html/report.ts";
import type { Line } from "../../bench/schema.ts";
import { caseOf, roofs, run, spread } from "./records.ts";

const slow = { intensity: 10, gigaflops: 50, ofRoofline: 0.5, limit: "compute" } as const;
const times = { wall: spread(4) };
const lines: Line[] = [
  run,
  roofs,
  caseOf("conv <3x3>", "conv2d", slow),
  caseOf("copy", "copy", { gigabytesPerSecond: 10, ofRoofline: 0.5, limit: "memory" }),
  { kind: "target", text: "fast enough", met: false, figures: ["conv: 1 GFLOP/s"] },
  { kind: "fault", name: "broken kernel", what: "error 3e-1" },
  { kind: "left-out", name: "huge conv", reason: "binds 9 GiB" },
  {
    kind: "profile",
    name: "training step",
    clock: "timestamps",
    ms: 12,
    dispatches: 3,
    rows: [
      {
        kernel: "conv_rows",
        variant: '{"kw":3}',
        calls: 2,
        ms: 9,
        share: 0.75,
        gigabytesPerSecond: 1,
        gigaflops: 80,
        limit: "compute",
        ofRoofline: 0.8,
        ofWork: 0.8,
      },
      {
        kernel: "lazy",
        variant: "{}",
        calls: 1,
        ms: 2,
        share: 0.2,
        gigabytesPerSecond: 1,
        gigaflops: 2,
        limit: "memory",
        ofRoofline: 0.05,
        ofWork: 0.05,
      },
      {
        kernel: "tiny",
        variant: "{}",
        calls: 90,
        ms: 1,
        share: 0.05,
        gigabytesPerSecond: 0.1,
        gigaflops: 0.1,
        limit: "dispatch",
        ofRoofline: 0.72,
        ofWork: 0.01,
      },
    ],
  },
  {
    kind: "fusion",
    network: "demo",
    batch: 8,
    update: "langevin",
    fusion: "network",
    replayed: true,
    kernels: 114,
    bytes: 1e7,
    step: times,
    alone: { kernels: 113, bytes: 9e6, time: times },
    share: 0.02,
  },
  {
    kind: "cold",
    cold: { open: 1, compile: 900, kernels: 21, first: 1000, second: 20, total: 1500 },
    warm: { open: 1, compile: 90, kernels: 21, first: 200, second: 20, total: 700 },
  },
];

describe("the page", () => {
  const page = htmlReport(lines);

  test("needs nothing from anywhere else", () => {
    expect(page).not.toMatch(/\b(?:src|href)=|@import|url\((?!#)|https?:\/\/(?!www\.w3\.org\/2000\/svg)/);
  });

  test("tells what each kind of line holds", () => {
    for (const told of [
      "100 GFLOP/s",
      "20.0 GB/s",
      "✗ missed",
      "broken kernel",
      "binds 9 GiB",
      "75 % of the time is in kernels at 70 % or more of their compute or memory roof, 80 % with those at as much",
      "Launching is most of what these take: tiny (5 % of the time, at 72 %).",
      "lazy (20 % of the time, at 5 %)",
      '<td class="text">dispatch</td>',
      "<dt>a dispatch, by the wall clock</dt><dd>8.00 µs</dd>",
      "in the network&#39;s last kernel, replayed",
      "in steps of 1.00 ns",
      '<td class="text">filled</td>',
    ])
      expect(page).toContain(told);
  });

  test("reads names as text, never as markup", () => {
    expect(page).toContain("conv &lt;3x3&gt;");
    expect(page).not.toContain("conv <3x3>");
    expect(page).toContain("Example &lt;GPU&gt; &amp; &quot;co&quot;");
  });

  test("closes what it opens", () => {
    const open: string[] = [];
    const body = page.replace(/<(style|script)>[\s\S]*?<\/\1>/g, "");
    for (const [, end, name, empty] of body.matchAll(/<(\/?)([a-zA-Z][\w]*)[^>]*?(\/?)>/g)) {
      if (empty || ["meta", "input", "br"].includes(name!)) continue;
      if (!end) open.push(name!);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });

  test("has a row for each case, with values to sort by", () => {
    const [, cases] = /<h2>Cases<\/h2>([\s\S]*?)<\/table>/.exec(page)!;
    expect(cases!.match(/<tr>/g)).toHaveLength(3); // the head and two
    expect(cases).toContain('data-value="0.5"');
    expect(cases).toContain('style="--share:50.0%"');
  });

  test("compares with an earlier run", () => {
    const old = { run, cases: new Map([["copy", caseOf("copy", "copy", { wall: spread(5) })]]) };
    const compared = htmlReport(lines, old);
    expect(compared).toContain("2.00 slower");
    expect(compared).toContain("<td>new</td>");
    expect(page).not.toContain("to old");
  });

  test("leaves out sections that nothing was measured for", () => {
    const bare = htmlReport([run]);
    for (const title of ["Roofline", "Targets", "Cold start", "left out"]) expect(bare).not.toContain(title);
  });

  test("is made of a run", () => {
    expect(() => htmlReport(lines.slice(1))).toThrow(
      "bench: got lines without a run, expected those of --json",
    );
  });
});

test("markup escapes what is put in unless it is markup", () => {
  expect(html`<p>${"<b>"}${new Markup("<i>x</i>")}${undefined}${[1, "&"]}</p>`.text).toBe(
    "<p>&lt;b&gt;<i>x</i>1\n&amp;</p>",
  );
});
