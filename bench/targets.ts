import { tiny } from "./dispatch.bench.ts";
import type { Timing } from "./harness.ts";
import { cases as binary } from "./kernels/binary.bench.ts";
import { convName, residual } from "./kernels/conv2d.bench.ts";
import { cases as langevin } from "./kernels/langevin.bench.ts";
import { reference } from "./kernels/matmul.bench.ts";
import { cases as unary } from "./kernels/unary.bench.ts";
import { type By, milliseconds, type Rates, rate } from "./rates.ts";

/** What the project promises on lavapipe with two processor cores. */
interface Target {
  readonly text: string;
  readonly cases: readonly string[];
  readonly figure: (t: Timing, rates: Rates, by: By) => number | undefined;
  readonly goal: number;
  /** Figures should be below the goal, not above. */
  readonly below?: boolean;
  readonly show: (figure: number) => string;
}

export interface Verdict {
  readonly text: string;
  /** By the medians; undefined when none of the cases was measured. */
  readonly met: boolean | undefined;
  /** The figures that miss, or the one that nearly does; in brackets what they would be on an idle machine. */
  readonly detail: string;
}

const percent = (v: number): string => `${(100 * v).toFixed(0)} %`;
const inMilliseconds = (v: number): string => `${v.toFixed(1)} ms`;

const targets: readonly Target[] = [
  {
    text: "matmul 512^3 at 7 GFLOP/s or more",
    cases: [reference.name],
    figure: (t, _, by) => rate(t, by),
    goal: 7,
    show: (v) => `${v.toFixed(1)} GFLOP/s`,
  },
  {
    text: "3x3 convolutions 64->64, dilation 1, 2, 4, all passes: 75 % of the matmul rate or more",
    cases: residual.flatMap((layer) =>
      (["forward", "input gradient", "weight gradient"] as const).map((pass) => convName(layer, pass)),
    ),
    figure: (t, rates, by) => rates.ofMatmul(t, by),
    goal: 0.75,
    show: percent,
  },
  {
    text: "elementwise ops and the Langevin update: 60 % of the copy bandwidth or more",
    cases: [...unary, ...binary, ...langevin].map((c) => c.name),
    figure: (t, rates, by) => rates.ofRoofline(t, by),
    goal: 0.6,
    show: percent,
  },
  {
    text: "1,000 tiny ops below 60 ms",
    cases: [tiny.eager],
    figure: (t, _, by) => milliseconds(t, by),
    goal: 60,
    below: true,
    show: inMilliseconds,
  },
  {
    text: "1,000 tiny ops replayed below 15 ms",
    cases: [tiny.replayed],
    figure: (t, _, by) => milliseconds(t, by),
    goal: 15,
    below: true,
    show: inMilliseconds,
  },
];

/** Each target held against a run. */
export const verdicts = (rates: Rates): Verdict[] =>
  targets.map(({ text, cases, figure, goal, below = false, show }) => {
    const figures = cases.flatMap((name) => {
      const t = rates.find(name);
      const median = t && figure(t, rates, "median");
      if (!t || median === undefined) return [];
      const alone = figure(t, rates, "alone") ?? figure(t, rates, "best");
      const line = `${name} ${show(median)} (${alone === undefined ? "" : show(alone)})`;
      return [{ median, met: below ? median < goal : median >= goal, line }];
    });
    const missed = figures.filter((f) => !f.met);
    const [worst] = figures.toSorted((a, b) => (below ? b.median - a.median : a.median - b.median));
    if (!worst) return { text, met: undefined, detail: "not measured" };
    const least = figures.length > 1 ? `least: ${worst.line}` : worst.line;
    return {
      text,
      met: missed.length === 0,
      detail: missed.length > 0 ? missed.map((f) => f.line).join(", ") : least,
    };
  });
