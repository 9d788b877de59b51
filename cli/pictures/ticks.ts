/** An axis: the range it shows and the places it marks, all within the range. */
export interface Axis {
  low: number;
  high: number;
  ticks: number[];
}

/**
 * An axis over values with about count ticks at 1, 2 or 5 times a power of ten, the range ending on ticks.
 */
export function linearAxis(values: readonly number[], count = 5): Axis {
  const [least, most] = extent(values, [0, 1]);
  const size = Math.max(Math.abs(least), Math.abs(most));
  const room = most - least <= 1e-6 * size ? size / 2 || 1 : 0; // a constant lies in the middle
  const step = niceStep((most - least + 2 * room) / count);
  const from = Math.floor((least - room) / step + 1e-9);
  const to = Math.ceil((most + room) / step - 1e-9);
  const ticks = Array.from({ length: to - from + 1 }, (_, i) => tidy((from + i) * step));
  return { low: ticks[0]!, high: ticks.at(-1)!, ticks };
}

/**
 * An axis over positive values whose equal steps are equal factors: ticks at powers of ten, and 2 and 5 if it
 * is short.
 */
export function logAxis(values: readonly number[]): Axis {
  const [least, most] = extent(values, [0.1, 1]);
  const from = Math.floor(Math.log10(least) + 1e-9);
  const to = Math.max(from + 1, Math.ceil(Math.log10(most) - 1e-9));
  const stride = Math.ceil((to - from) / 8);
  const marks = to - from <= 3 ? [1, 2, 5] : [1];

  const ticks: number[] = [];
  for (let power = from; power <= to; power += stride)
    ticks.push(...marks.map((mark) => tidy(mark * 10 ** power)));
  const low = ticks.findLast((tick) => tick <= least * (1 + 1e-9)) ?? ticks[0]!;
  const high = ticks.find((tick) => tick >= most * (1 - 1e-9) && tick > low) ?? tidy(10 ** to);
  return { low, high, ticks: ticks.filter((tick) => tick >= low && tick <= high) };
}

/** A tick's label: 0.25, 12000, 1e-5. */
export function label(tick: number): string {
  const size = Math.abs(tick);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return tick.toExponential().replace("e+", "e");
  return String(tick);
}

function extent(values: readonly number[], whenEmpty: [number, number]): [number, number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) [least, most] = [Math.min(least, value), Math.max(most, value)];
  return least <= most ? [least, most] : whenEmpty;
}

/** The smallest of 1, 2, 5, 10 times a power of ten that is no less than step. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return power * [1, 2, 5, 10].find((nice) => nice * power >= step * (1 - 1e-9))!;
}

/** Without the last bits' noise: 0.3 and not 0.30000000000000004. */
const tidy = (value: number) => Number(value.toPrecision(12));
