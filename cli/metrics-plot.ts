import { type Metrics, meanLoss } from "./metrics-log.ts";
import { linePlot, type Series } from "./pictures/plot.ts";

/** Points of a line; more would be finer than the plot's pixels. */
const POINTS = 500;

const strideOf = (rows: readonly Metrics[]): number => Math.max(1, Math.ceil(rows.length / POINTS));

/** One row in so many, from the first on. */
const thinned = (rows: readonly Metrics[]): Metrics[] => {
  const stride = strideOf(rows);
  return rows.filter((_, i) => i % stride === 0);
};

/** The loss over the steps, smoothed too, and that on held-back images, as an SVG file. */
export function lossPlot(rows: readonly Metrics[], title: string): string {
  const stride = strideOf(rows);
  const shown = thinned(rows);
  const each = {
    name: stride === 1 ? "each step" : `one step in ${stride}`,
    x: shown.map((m) => m.step),
    y: shown.map((m) => m.loss),
  };
  return linePlot({
    title,
    xLabel: "step",
    yLabel: "loss",
    series: [each, smoothLoss(rows), ...evaluations(rows)],
    logY: true,
  });
}

/** At some steps, the mean loss of these and of those before. */
export function smoothLoss(rows: readonly Metrics[], name?: string): Series {
  const stride = strideOf(rows);
  const width = 10 * stride;
  const at = rows.map((_, i) => i).filter((i) => i % stride === 0);
  return {
    name: name ?? `mean of ${width}`,
    x: at.map((i) => rows[i]!.step),
    y: at.map((i) => meanLoss(rows.slice(Math.max(0, i - width + 1), i + 1))),
  };
}

/** A line where there is something to tell. */
function evaluations(rows: readonly Metrics[]): Series[] {
  const measured = thinned(rows.filter((m) => m.evalLoss !== undefined));
  if (measured.length === 0) return [];
  return [{ name: "held back", x: measured.map((m) => m.step + 1), y: measured.map((m) => m.evalLoss!) }];
}

/** The learning rate over the steps, as an SVG file. */
export function ratePlot(rows: readonly Metrics[]): string {
  const shown = thinned(rows);
  const x = shown.map((m) => m.step);
  const series = [{ name: "learning rate", x, y: shown.map((m) => m.lr) }];
  return linePlot({ title: "Learning rate", xLabel: "step", yLabel: "learning rate", series });
}
