import type { Random } from "./random.ts";

/**
 * A point a pen passes, in a box of about 0..1 by 0..1, y downwards. "corner": the pen turns there without
 * rounding.
 */
type Point = readonly [x: number, y: number, corner?: "corner" | undefined];
export type Stroke = readonly Point[];
export type Polyline = [x: number, y: number][];

/**
 * The curve through the points of a stroke: a Catmull-Rom spline from corner to corner, steps pieces a span.
 */
export function trace(stroke: Stroke, steps = 5): Polyline {
  const line: Polyline = [[stroke[0]![0], stroke[0]![1]]];
  for (let from = 0, to = 1; to < stroke.length; to++) {
    if (stroke[to]![2] !== "corner" && to < stroke.length - 1) continue;
    traceRun(stroke.slice(from, to + 1), steps, line);
    from = to;
  }
  return line;
}

/**
 * Appends the spline through the points of a run, its first point excepted. Ends are mirrored to give them a
 * tangent.
 */
function traceRun(run: Stroke, steps: number, line: Polyline): void {
  if (run.length === 2) {
    line.push([run[1]![0], run[1]![1]]);
    return;
  }
  const mirror = (end: Point, inner: Point): Point => [2 * end[0] - inner[0], 2 * end[1] - inner[1]];
  const p = [mirror(run[0]!, run[1]!), ...run, mirror(run.at(-1)!, run.at(-2)!)];
  for (let i = 1; i < p.length - 2; i++) {
    for (let s = 1; s <= steps; s++) {
      const t = s / steps;
      line.push([catmullRom(p, i, 0, t), catmullRom(p, i, 1, t)]);
    }
  }
}

function catmullRom(p: Stroke, i: number, axis: 0 | 1, t: number): number {
  const [a, b, c, d] = [p[i - 1]![axis], p[i]![axis], p[i + 1]![axis], p[i + 2]![axis]];
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
}

/** Points of an ellipse. from and sweep in turns, clockwise on the page; 0 is right, -0.25 is up. */
export function arc(
  center: readonly [number, number],
  radii: readonly [number, number],
  from: number,
  sweep: number,
): Stroke {
  const spans = Math.max(3, Math.ceil(Math.abs(sweep) * 6));
  return Array.from({ length: spans + 1 }, (_, i): Point => {
    const angle = 2 * Math.PI * (from + (sweep * i) / spans);
    return [center[0] + radii[0] * Math.cos(angle), center[1] + radii[1] * Math.sin(angle)];
  });
}

/** An unsteady hand: every point moved by a normal of the given standard deviation. */
export function shake(stroke: Stroke, deviation: number, r: Random): Stroke {
  return stroke.map(([x, y, corner]) => [x + deviation * r.normal(), y + deviation * r.normal(), corner]);
}
