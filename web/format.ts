/** A number for people: so many digits that count, no exponent between 0.001 and a million. */
export function number(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return `${value}`;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6))
    return value.toExponential(digits - 1).replace(/e\+?(-?)/, (_, minus) => ` × 10^${minus}`);
  return grouped(Number(value.toPrecision(digits)));
}

/** A whole number with its thousands apart: 140,593. */
export const count = (value: number): string => grouped(Math.round(value));

/** Bytes as "562 kB" or "1.9 MB". */
export function bytes(value: number): string {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  const power = value < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(value) / 3));
  return `${number(value / 1000 ** power)} ${units[power]}`;
}

/** Seconds as "0.4 s", "18 s", "3 min 07 s" or "1 h 02 min". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "unknown";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

const grouped = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: 12 });
