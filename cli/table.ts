/** Rows in columns as wide as their longest cell; a column of numbers stands to the right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const columns = headings.map((heading, i) => {
    const cells = rows.map((row) => row[i]!);
    const numbers = cells.every((cell) => /^(-|[\d.,]+)$/.test(cell));
    const width = Math.max(heading.length, ...cells.map((cell) => cell.length));
    return (cell: string) => (numbers ? cell.padStart(width) : cell.padEnd(width));
  });
  return [headings, ...rows]
    .map((row) =>
      row
        .map((cell, i) => columns[i]!(cell))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
