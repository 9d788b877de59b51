/** Columns padded to their widest entry: the first `left` to the left, the others to the right. */
export function aligned(rows: readonly (readonly string[])[], left: number): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((r) => r[i]!.length)));
  return rows.map((r) =>
    r
      .map((cell, i) => (i < left ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
}

export const percent = (v: number): string => `${(100 * v).toFixed(0)} %`;

/** As a percentage; nothing for nothing. */
export const share = (v: number | undefined): string => (v === undefined ? "" : percent(v));

/** Three significant digits. */
export const digits = (v: number): string =>
  v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v >= 1 || v === 0 ? v.toFixed(2) : v.toPrecision(3);

/** The same; nothing for nothing. */
export const figure = (v: number | undefined): string => (v === undefined ? "" : digits(v));
