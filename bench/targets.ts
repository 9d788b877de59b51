import { tiny } from "./dispatch.bench.ts";
import { percent } from "./format.ts";
import type { By, Timing } from "./harness.ts";
import { cases as binary } from "./kernels/binary.bench.ts";
import { convName, convPasses, residual } from "./kernels/conv2d.bench.ts";
import { langevinSteps } from "./kernels/linear-update.bench.ts";
import { reference } from "./kernels/matmul.bench.ts";
import { cases as unary } from "./kernels/unary.bench.ts";
import { milliseconds, type Rates, rate } from "./rates.ts";

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

interface Verdict {
  readonly text: string;
  /** Undefined when none of the cases was measured. */
  readonly met: boolean | undefined;
  /** The figures that miss, or the one that comes nearest to missing. */
  readonly figures: readonly string[];
}

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
    cases: residual.flatMap((layer) => convPasses.map((pass) => convName(layer, pass))),
    figure: (t, rates, by) => rates.ofMatmul(t, by),
    goal: 0.75,
    show: percent,
  },
  {
    text: "elementwise ops and the Langevin update: 60 % of the copy bandwidth or more",
    cases: [...unary.cpu, ...binary.cpu, ...langevinSteps.cpu].map((c) => c.name),
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

/**
 * Each target held against a run: by its medians, or, when the machine was busy with other things, by what is known
 * of the times without them, the medians standing beside in brackets.
 */
export const verdicts = (rates: Rates, busy: boolean): Verdict[] =>
  targets.map(({ text, cases, figure, goal, below = false, show }) => {
    const found = cases.flatMap((name) => {
      const t = rates.find(name);
      const median = t && figure(t, rates, "median");
      if (!t || median === undefined) return [];
      const alone = t.by === "alone" ? figure(t, rates, "alone") : undefined;
      const quiet = alone ?? figure(t, rates, "best") ?? median;
      const value = busy ? quiet : median;
      const line = `${name}: ${show(value)}${busy ? ` (${show(median)})` : ""}`;
      return [{ value, line, met: below ? value < goal : value >= goal }];
    });
    if (found.length === 0) return { text, met: undefined, figures: [] };
    const missed = found.filter((f) => !f.met);
    const [nearest] = found.toSorted((a, b) => (below ? b.value - a.value : a.value - b.value));
    return {
      text,
      met: missed.length === 0,
      figures: (missed.length > 0 ? missed : [nearest!]).map((f) => f.line),
    };
  });
