/** A text of an SVG file, its signs escaped. */
export const text = (x: number, y: number, content: string, attributes = ""): string =>
  `<text x="${pixel(x)}" y="${pixel(y)}"${attributes && ` ${attributes}`}>${escaped(content)}</text>`;

/** Pixels to a tenth: finer is not seen and makes files long. */
export const pixel = (value: number): string => String(Number(value.toFixed(1)));

/** The signs of markup written so that they are read as text. */
export const escaped = (content: string): string =>
  content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
