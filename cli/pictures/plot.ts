import { UsageError } from "../../engine/errors.ts";
import { type Axis, label, linearAxis, logAxis } from "./ticks.ts";

export interface Series {
  name: string;
  x: ArrayLike<number>;
  /** As long as x. Values that are not finite, or not positive under logY, leave a gap in the line. */
  y: ArrayLike<number>;
}

interface LinePlot {
  title: string;
  xLabel: string;
  yLabel: string;
  series: readonly Series[];
  /** Logarithmic y. */
  logY?: boolean;
}

const PLOT = { left: 76, top: 48, width: 560, height: 320 };
const BOTTOM = 60; // under the plot, for labels
/** Okabe & Ito's colours, told apart by all eyes. */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333"];
const MARKED = 30; // points; a line of no more shows them as dots

/** A line plot as an SVG file. Lines are told apart by a legend on the right when there are several. */
export function linePlot({ title, xLabel, yLabel, series, logY = false }: LinePlot): string {
  const lines = series.map((one) => visibleRuns(one, logY));
  const points = lines.flat(2);
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  const xAxis = linearAxis(xs, 6);
  const yAxis = logY ? logAxis(ys) : linearAxis(ys);
  const toX = (x: number) => PLOT.left + PLOT.width * fraction(x, xAxis, false);
  const toY = (y: number) => PLOT.top + PLOT.height * (1 - fraction(y, yAxis, logY));
  const toPixels = (run: Point[]) => run.map(([x, y]): Point => [toX(x), toY(y)]);

  const legend = series.length > 1 ? 60 + 7.5 * Math.max(...series.map((one) => one.name.length)) : 24;
  const [width, height] = [Math.ceil(PLOT.left + PLOT.width + legend), PLOT.top + PLOT.height + BOTTOM];
  const middle = { x: PLOT.left + PLOT.width / 2, y: PLOT.top + PLOT.height / 2 };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" ` +
      `width="${width}" height="${height}" ` +
      `font-family="system-ui, sans-serif" font-size="13" fill="#333333">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    text(middle.x, 28, title, `text-anchor="middle" font-size="17" font-weight="600"`),
    ...xAxis.ticks.map((tick) => xMark(toX(tick), label(tick))),
    ...yAxis.ticks.map((tick) => yMark(toY(tick), label(tick))),
    text(middle.x, height - 14, xLabel, `text-anchor="middle"`),
    text(20, middle.y, yLabel, `text-anchor="middle" transform="rotate(-90 20 ${middle.y})"`),
    ...lines.map((runs, i) => drawLine(runs.map(toPixels), colour(i))),
    ...(series.length > 1 ? series.map((one, i) => legendEntry(one.name, i)) : []),
    "</svg>\n",
  ].join("\n");
}

type Point = readonly [x: number, y: number];

/** The points of a series in runs without gaps. */
function visibleRuns({ name, x, y }: Series, logY: boolean): Point[][] {
  if (x.length !== y.length) {
    throw new UsageError(
      `linePlot: got ${x.length} x and ${y.length} y in "${name}", expected as many of each; ` +
        `fill holes with NaN`,
    );
  }
  const runs: Point[][] = [];
  let open = false;
  for (let i = 0; i < x.length; i++) {
    const point = [x[i]!, y[i]!] as const;
    const visible = point.every(Number.isFinite) && (!logY || point[1] > 0);
    if (visible && open) runs.at(-1)!.push(point);
    else if (visible) runs.push([point]);
    open = visible;
  }
  return runs;
}

function fraction(value: number, { low, high }: Axis, log: boolean): number {
  return log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

function xMark(x: number, name: string): string {
  const bottom = PLOT.top + PLOT.height;
  return rule(x, PLOT.top, x, bottom) + text(x, bottom + 20, name, `text-anchor="middle"`);
}

function yMark(y: number, name: string): string {
  const right = PLOT.left + PLOT.width;
  return rule(PLOT.left, y, right, y) + text(PLOT.left - 8, y + 4, name, `text-anchor="end"`);
}

/** A line through runs of points in pixels. */
function drawLine(runs: Point[][], stroke: string): string {
  const path = runs.map((run) => `M${run.map(([x, y]) => `${round(x)} ${round(y)}`).join("L")}`).join("");
  const line = `<path d="${path}" fill="none" stroke="${stroke}" stroke-width="2" stroke-linejoin="round"/>`;
  const dots = runs
    .flat()
    .map(([x, y]) => `<circle cx="${round(x)}" cy="${round(y)}" r="3" fill="${stroke}"/>`);
  return dots.length > MARKED ? line : line + dots.join("");
}

function legendEntry(name: string, i: number): string {
  const [x, y] = [PLOT.left + PLOT.width + 16, PLOT.top + 10 + 22 * i];
  const ends = `x1="${x}" y1="${y}" x2="${x + 20}" y2="${y}"`;
  const swatch = `<line ${ends} stroke="${colour(i)}" stroke-width="3"/>`;
  return swatch + text(x + 27, y + 4, name);
}

const colour = (i: number) => COLOURS[i % COLOURS.length]!;

const round = (pixels: number) => Number(pixels.toFixed(1));

const rule = (x1: number, y1: number, x2: number, y2: number) =>
  `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#dddddd"/>`;

const text = (x: number, y: number, content: string, attributes = "") =>
  `<text x="${round(x)}" y="${round(y)}" ${attributes}>${escaped(content)}</text>`;

const escaped = (content: string) =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
