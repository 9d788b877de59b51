/** A line of a curve: values by step. */
export interface CurvePoint {
  readonly step: number;
  readonly value: number;
}

const [WIDTH, HEIGHT] = [320, 110];

/**
 * A small curve as the inside of an SVG with viewBox 0 0 320 110: what it was at each step, its bounds at the left. On a
 * logarithmic scale values that are not positive are left out. The few largest, which beginnings have, are cut at the top.
 */
export function curve(
  points: readonly CurvePoint[],
  { log = false, title }: { log?: boolean; title: string },
): string {
  const shown = points.filter(({ value }) => Number.isFinite(value) && (!log || value > 0));
  if (shown.length < 2) return `<title>${title}: nothing yet</title>`;
  const of = (value: number) => (log ? Math.log(value) : value);
  const values = shown.map(({ value }) => value);
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[0]!, sorted[Math.ceil(0.97 * (sorted.length - 1))]!];
  const range = of(high) - of(low) || 1;
  const last = shown.at(-1)!;
  const x = (step: number) => ((WIDTH - LEFT - 8) * step) / last.step + LEFT;
  const y = (value: number) => 8 + (HEIGHT - 30) * (1 - Math.min(1, (of(value) - of(low)) / range));
  const path = shown.map(({ step, value }) => `${x(step).toFixed(1)} ${y(value).toFixed(1)}`).join("L");
  const text = (left: number, top: number, anchor: string, content: string) =>
    `<text x="${left}" y="${top}" text-anchor="${anchor}">${content}</text>`;
  return [
    `<title>${title}: ${short(last.value)} at step ${last.step}</title>`,
    `<path class="axis" d="M${LEFT} 4V${HEIGHT - 20}H${WIDTH - 6}"/>`,
    text(LEFT - 5, y(high) + 4, "end", short(high)),
    text(LEFT - 5, y(low) + 4, "end", short(low)),
    text(LEFT, HEIGHT - 5, "start", "0"),
    text(WIDTH - 8, HEIGHT - 5, "end", String(last.step)),
    `<path class="line" d="M${path}"/>`,
  ].join("");
}

/** Room for the numbers at the left. */
const LEFT = 48;

/** Three digits, as people write numbers. */
const short = (value: number): string => String(Number(value.toPrecision(3)));

/** Means of neighbours, at most so many, each at the last of its steps: a long history at a glance. */
export function thinned(values: readonly number[], most: number): CurvePoint[] {
  const group = Math.max(1, Math.ceil(values.length / most));
  const points: CurvePoint[] = [];
  for (let from = 0; from < values.length; from += group) {
    const part = values.slice(from, from + group);
    points.push({ step: from + part.length, value: part.reduce((sum, v) => sum + v, 0) / part.length });
  }
  return points;
}
