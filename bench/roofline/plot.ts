import { label, logAxis } from "../../cli/pictures/ticks.ts";
import { escaped, pixel, text } from "../figures/svg/text.ts";
import { digits, percent } from "../format.ts";
import { attainable, GOOD, type Roofs, ridge } from "../roofs.ts";
import type { CaseRecord } from "../schema.ts";
import { type KindName, kindOf, kinds } from "./families.ts";

export type Point = Pick<CaseRecord, "name" | "group" | "bound" | "intensity" | "gigaflops" | "limit">;

interface RooflinePlot {
  readonly roofs: Roofs;
  /** Cases without operations, without bytes or bound by dispatches have no place and are left out. */
  readonly cases: readonly Point[];
  /** What the figure says of itself, such as the adapter. */
  readonly title: string;
}

const FRAME = { left: 66, top: 52, width: 800, height: 430, right: 24, bottom: 48 };
const LEGEND_ROW = 22;

type Placed = Point & { readonly intensity: number; readonly gigaflops: number };
interface Scale {
  x(intensity: number): number;
  y(gigaflops: number): number;
  readonly ticks: { readonly x: readonly number[]; readonly y: readonly number[] };
  readonly low: { readonly x: number; readonly y: number };
  readonly high: { readonly x: number; readonly y: number };
}

/**
 * The roofline of an adapter and where its kernels lie under it, as an SVG that stands alone or within a page, on a light
 * or a dark ground: GFLOP/s over operations a byte, both logarithmic. Every point tells its case when it is pointed at.
 * Williams, Waterman & Patterson 2009.
 */
export function rooflinePlot({ roofs, cases, title }: RooflinePlot): string {
  const points = cases.filter(
    (c): c is Placed =>
      c.intensity !== undefined &&
      c.gigaflops !== undefined &&
      c.group !== "roofline" &&
      c.bound !== "dispatch",
  );
  const scale = scaleFor(roofs, points);
  const present = (Object.keys(kinds) as KindName[]).filter((k) => points.some((p) => kindOf(p.group) === k));
  const legend = legendOf(present);
  const width = FRAME.left + FRAME.width + FRAME.right;
  const height = FRAME.top + FRAME.height + FRAME.bottom + legend.height + 8;
  const { left, top } = FRAME;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="roofline" viewBox="0 0 ${width} ${height}" width="${width}" ` +
      `height="${height}" role="img" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(inWords(roofs, points))}</desc>`,
    `<style>${styles(present)}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    text(left, 24, title, `font-size="15" font-weight="600"`),
    `<clipPath id="roofline-frame"><rect x="${left}" y="${top}" width="${FRAME.width}" height="${FRAME.height}"/></clipPath>`,
    axes(scale),
    `<g clip-path="url(#roofline-frame)">${roofLines(roofs, scale)}</g>`,
    roofNames(roofs, scale),
    ...points.map((p) => mark(p, roofs, scale)),
    ...pointNames(points, roofs, scale),
    legend.drawing,
    "</svg>\n",
  ].join("\n");
}

function scaleFor(roofs: Roofs, points: readonly Placed[]): Scale {
  const corner = ridge(roofs);
  const xs = [...points.map((p) => p.intensity), corner / 4, corner * 8];
  const ys = [...points.map((p) => p.gigaflops), roofs.gigaflops * 1.6, roofs.gigaflops / 30];
  const [xAxis, yAxis] = [wholeDecades(xs), wholeDecades(ys)];
  const along = (value: number, low: number, high: number) => Math.log(value / low) / Math.log(high / low);
  return {
    x: (v) => FRAME.left + FRAME.width * along(v, xAxis.low, xAxis.high),
    y: (v) => FRAME.top + FRAME.height * (1 - along(v, yAxis.low, yAxis.high)),
    ticks: { x: xAxis.ticks, y: yAxis.ticks },
    low: { x: xAxis.low, y: yAxis.low },
    high: { x: xAxis.high, y: yAxis.high },
  };
}

/** An axis whose ends leave some room around the values, with ticks at powers of ten. */
function wholeDecades(values: readonly number[]) {
  const [low, high] = [Math.min(...values) / 1.5, Math.max(...values) * 1.5];
  const ticks = logAxis([low / 10, high * 10]).ticks.filter((t) => t >= low && t <= high);
  return { low, high, ticks };
}

function axes({ x, y, ticks }: Scale): string {
  const { left, top, width, height } = FRAME;
  const [right, bottom] = [left + width, top + height];
  return [
    ...ticks.x.map(
      (t) =>
        `<path class="grid" d="M${pixel(x(t))} ${top}V${bottom}"/>` +
        text(x(t), bottom + 18, label(t), `text-anchor="middle" class="soft"`),
    ),
    ...ticks.y.map(
      (t) =>
        `<path class="grid" d="M${left} ${pixel(y(t))}H${right}"/>` +
        text(left - 8, y(t) + 4, label(t), `text-anchor="end" class="soft"`),
    ),
    `<rect class="frame" x="${left}" y="${top}" width="${width}" height="${height}"/>`,
    text(left + width / 2, bottom + 38, "arithmetic intensity, operations a byte", `text-anchor="middle"`),
    text(
      18,
      top + height / 2,
      "GFLOP/s",
      `text-anchor="middle" transform="rotate(-90 18 ${top + height / 2})"`,
    ),
  ].join("\n");
}

function roofLines(roofs: Roofs, { x, y, low, high }: Scale): string {
  const line = (share: number) => {
    const xs = [low.x, ridge(roofs), high.x];
    return xs
      .map((v, i) => `${i === 0 ? "M" : "L"}${pixel(x(v))} ${pixel(y(share * attainable(roofs, v)))}`)
      .join("");
  };
  return `<path class="near" d="${line(GOOD)}"/><path class="roof" d="${line(1)}"/>`;
}

function roofNames(roofs: Roofs, { x, y, low, high }: Scale): string {
  const corner = ridge(roofs);
  const from = Math.max(low.x, low.y / roofs.gigabytesPerSecond);
  const at = from * (corner / from) ** 0.45;
  const [px, py] = [x(at), y(attainable(roofs, at))];
  const angle = (Math.atan2(y(corner * roofs.gigabytesPerSecond) - py, x(corner) - px) * 180) / Math.PI;
  return [
    text(
      x(high.x) - 8,
      y(roofs.gigaflops) - 8,
      `multiply-adds: ${digits(roofs.gigaflops)} GFLOP/s`,
      `text-anchor="end" class="name"`,
    ),
    text(
      px,
      py - 8,
      `copy: ${digits(roofs.gigabytesPerSecond)} GB/s`,
      `text-anchor="middle" class="name" transform="rotate(${angle.toFixed(1)} ${pixel(px)} ${pixel(py)})"`,
    ),
    text(
      x(high.x) - 8,
      y(GOOD * roofs.gigaflops) + 15,
      `${percent(GOOD)} of it`,
      `text-anchor="end" class="soft"`,
    ),
  ].join("\n");
}

/** How high a point lies under the roof that is drawn, which knows of no launches. */
const heightOf = ({ gigaflops, intensity }: Placed, roofs: Roofs): number =>
  gigaflops / attainable(roofs, intensity);

function mark(point: Placed, roofs: Roofs, { x, y }: Scale): string {
  const kind = kindOf(point.group);
  const told =
    `${point.name}: ${digits(point.gigaflops)} GFLOP/s at ${digits(point.intensity)} operations a byte, ` +
    `${percent(heightOf(point, roofs))} of its roof`;
  const held = point.limit === "dispatch" ? "; launching it takes longer than either" : "";
  return (
    `<path class="point ${kind}" d="${kinds[kind].outline}" ` +
    `transform="translate(${pixel(x(point.intensity))} ${pixel(y(point.gigaflops))})">` +
    `<title>${escaped(told + held)}</title></path>`
  );
}

const LETTER = 5.8; // pixels, about
const LONGEST = 34; // letters

/** The best of each kind by name, where there is room for it under the roof. */
function pointNames(points: readonly Placed[], roofs: Roofs, scale: Scale): string[] {
  const { x, y } = scale;
  const boxes: Box[] = points.map((p) => around(x(p.intensity), y(p.gigaflops)));
  const seen = new Set<KindName>();
  const sorted = points.toSorted((a, b) => heightOf(b, roofs) - heightOf(a, roofs));
  return sorted.flatMap((p) => {
    const kind = kindOf(p.group);
    if (seen.has(kind)) return [];
    const name = p.name.length > LONGEST ? `${p.name.slice(0, LONGEST - 1)}…` : p.name;
    const [px, py] = [x(p.intensity), y(p.gigaflops)];
    for (const { dx, dy } of places) {
      const width = LETTER * name.length;
      const left = dx < 0 ? px + dx - width : px + dx;
      const box = { left, right: left + width, top: py + dy - 9, bottom: py + dy + 3 };
      const free = inFrame(box) && box.top > roofAt(roofs, scale, left) + 4;
      if (!free || boxes.some((other) => overlap(other, box))) continue;
      boxes.push(box);
      seen.add(kind);
      return [text(px + dx, py + dy, name, `class="label"${dx < 0 ? ` text-anchor="end"` : ""}`)];
    }
    return [];
  });
}

/** Where the roof is at a column of pixels. */
function roofAt(roofs: Roofs, { y, low, high }: Scale, column: number): number {
  const intensity = low.x * (high.x / low.x) ** ((column - FRAME.left) / FRAME.width);
  return y(attainable(roofs, intensity));
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}
const places = [
  { dx: 9, dy: 4 },
  { dx: -9, dy: 4 },
  { dx: 7, dy: -7 },
  { dx: 7, dy: 15 },
  { dx: -7, dy: -7 },
  { dx: -7, dy: 15 },
];
const around = (x: number, y: number): Box => ({ left: x - 6, right: x + 6, top: y - 6, bottom: y + 6 });
const overlap = (a: Box, b: Box): boolean =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
const inFrame = ({ left, right, top, bottom }: Box): boolean =>
  left > FRAME.left + 2 &&
  right < FRAME.left + FRAME.width - 2 &&
  top > FRAME.top + 2 &&
  bottom < FRAME.top + FRAME.height - 2;

function legendOf(present: readonly KindName[]): { drawing: string; height: number } {
  const top = FRAME.top + FRAME.height + FRAME.bottom + 12;
  let [x, row] = [FRAME.left, 0];
  const drawing = present.map((kind) => {
    const width = 34 + 7 * kinds[kind].name.length;
    if (x + width > FRAME.left + FRAME.width && x > FRAME.left) [x, row] = [FRAME.left, row + 1];
    const y = top + row * LEGEND_ROW;
    const entry =
      `<path class="point ${kind}" d="${kinds[kind].outline}" transform="translate(${pixel(x + 6)} ${y})"/>` +
      text(x + 17, y + 4, kinds[kind].name);
    x += width;
    return entry;
  });
  return { drawing: drawing.join("\n"), height: LEGEND_ROW * (row + 1) };
}

function styles(present: readonly KindName[]): string {
  const colours = (tone: "light" | "dark") =>
    present.map((kind) => `.roofline .${kind}{fill:${kinds[kind][tone]}}`).join("");
  const ground = (ink: string, soft: string, grid: string, back: string) =>
    `.roofline text{fill:${ink}}.roofline .soft,.roofline .label{fill:${soft}}.roofline .ground{fill:${back}}` +
    `.roofline .grid{stroke:${grid}}.roofline .frame{stroke:${soft};fill:none}` +
    `.roofline .roof{stroke:${ink}}.roofline .near{stroke:${soft}}.roofline .point{stroke:${back}}`;
  return (
    ground("#1f2328", "#59636e", "#e4e7eb", "#ffffff") +
    colours("light") +
    `.roofline .roof{stroke-width:2.2;fill:none}.roofline .near{stroke-dasharray:5 4;fill:none}` +
    `.roofline .label{font-size:10.5px}.roofline .name{font-weight:600}.roofline .point{stroke-width:0.8}` +
    `@media screen and (prefers-color-scheme:dark){` +
    `${ground("#e6edf3", "#9aa5b1", "#2b333c", "#11161c")}${colours("dark")}}`
  );
}

/** What the plot shows, for those who cannot see it. */
function inWords(roofs: Roofs, points: readonly Placed[]): string {
  const good = points.filter((p) => heightOf(p, roofs) >= GOOD).length;
  return (
    `Roofs: ${digits(roofs.gigaflops)} GFLOP/s of multiply-adds and ${digits(roofs.gigabytesPerSecond)} GB/s copied, ` +
    `which meet at ${digits(ridge(roofs))} operations a byte. ${points.length} cases lie under them, ${good} of ` +
    `them at ${percent(GOOD)} of their roof or more.`
  );
}
