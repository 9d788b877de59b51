import { type Axis, label } from "../../../cli/pictures/ticks.ts";
import type { Mark, View } from "./marks.ts";
import { escaped, pixel, text } from "./text.ts";

export interface Panel {
  title: string;
  /** A second line, such as what was measured. */
  subtitle?: string;
  xAxis: Axis;
  yAxis: Axis;
  xLabel?: string;
  yLabel?: string;
  /** Drawn one over the other, the first at the bottom, and cut at the panel's edge. */
  marks: readonly Mark[];
}

interface Entry {
  name: string;
  colour: string;
  dashed?: boolean;
}

interface Figure {
  title: string;
  panels: readonly Panel[];
  /** What the colours stand for, below the panels. */
  legend?: readonly Entry[];
  /** Pixels of a panel. */
  width?: number;
  height?: number;
}

const MARGIN = { top: 84, bottom: 50, left: 56, between: 52, right: 18, legend: 26 };

/** Panels side by side as an SVG file, each with its axes, a legend for all below. */
export function panelFigure({ title, panels, legend = [], width = 240, height = 240 }: Figure): string {
  const total = {
    width: MARGIN.left + panels.length * (width + MARGIN.between) - MARGIN.between + MARGIN.right,
    height: MARGIN.top + height + MARGIN.bottom + (legend.length > 0 ? MARGIN.legend : 0),
  };
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total.width} ${total.height}" ` +
      `width="${total.width}" height="${total.height}" font-family="system-ui, sans-serif" font-size="12" fill="#333333">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${total.width}" height="${total.height}" fill="#ffffff"/>`,
    text(total.width / 2, 26, title, `text-anchor="middle" font-size="16" font-weight="600"`),
    ...panels.map((panel, i) =>
      drawPanel(panel, {
        i,
        left: MARGIN.left + i * (width + MARGIN.between),
        top: MARGIN.top,
        width,
        height,
      }),
    ),
    drawLegend(legend, total.width / 2, total.height - 14),
    "</svg>\n",
  ].join("\n");
}

interface Place {
  readonly i: number;
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

function drawPanel(panel: Panel, { i, left, top, width, height }: Place): string {
  const { title, subtitle, xAxis, yAxis, xLabel, yLabel, marks } = panel;
  const view: View = {
    x: (value) => left + (width * (value - xAxis.low)) / (xAxis.high - xAxis.low),
    y: (value) => top + height * (1 - (value - yAxis.low) / (yAxis.high - yAxis.low)),
  };
  const bottom = top + height;
  const middle = { x: left + width / 2, y: top + height / 2 };
  const box = `x="${left}" y="${top}" width="${width}" height="${height}"`;
  return [
    text(middle.x, top - 26, title, `text-anchor="middle" font-weight="600"`),
    ...(subtitle ? [text(middle.x, top - 10, subtitle, `text-anchor="middle" fill="#666666"`)] : []),
    `<clipPath id="p${i}"><rect ${box}/></clipPath>`,
    ...xAxis.ticks.map(
      (tick) =>
        rule(view.x(tick), bottom, view.x(tick), bottom + 4) +
        text(view.x(tick), bottom + 17, label(tick), `text-anchor="middle"`),
    ),
    ...yAxis.ticks.map(
      (tick) =>
        rule(left - 4, view.y(tick), left, view.y(tick)) +
        text(left - 7, view.y(tick) + 4, label(tick), `text-anchor="end"`),
    ),
    `<g clip-path="url(#p${i})">${marks.map((mark) => mark(view)).join("\n")}</g>`,
    `<rect ${box} fill="none" stroke="#999999"/>`,
    ...(xLabel ? [text(middle.x, bottom + 36, xLabel, `text-anchor="middle"`)] : []),
    ...(yLabel
      ? [
          text(
            left - 42,
            middle.y,
            yLabel,
            `text-anchor="middle" transform="rotate(-90 ${pixel(left - 42)} ${pixel(middle.y)})"`,
          ),
        ]
      : []),
  ].join("\n");
}

const rule = (x1: number, y1: number, x2: number, y2: number): string =>
  `<path d="M${pixel(x1)} ${pixel(y1)}L${pixel(x2)} ${pixel(y2)}" stroke="#999999"/>`;

/** Pixels of a letter, about. */
const LETTER = 6.4;

function drawLegend(entries: readonly Entry[], middle: number, y: number): string {
  const widths = entries.map(({ name }) => 50 + LETTER * name.length);
  let x = middle - widths.reduce((sum, width) => sum + width, 0) / 2;
  return entries
    .map(({ name, colour, dashed }, i) => {
      const dashes = dashed ? ` stroke-dasharray="6 4"` : "";
      const swatch = `<path d="M${pixel(x)} ${y - 4}h22" stroke="${colour}" stroke-width="3"${dashes}/>`;
      const entry = swatch + text(x + 28, y, name);
      x += widths[i]!;
      return entry;
    })
    .join("\n");
}
