import { zlibSync } from "fflate";

/** PNG's colour types that fast-png cannot write, for tests of reading them. */
export const GREY = 0;
export const PALETTE = 3;

/** A PNG file put together by hand: rows of packed samples, and chunks that come before them. */
export function pngFile(
  {
    width,
    height,
    depth,
    colourType,
    interlace = 0,
  }: { width: number; height: number; depth: number; colourType: number; interlace?: 0 | 1 },
  rows: number[][],
  before: [type: string, data: number[]][] = [],
): Uint8Array {
  const word = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  const chunk = (type: string, data: Iterable<number>) => {
    const body = [...Buffer.from(type, "latin1"), ...data];
    return [...word(body.length - 4), ...body, ...word(crc32(body))];
  };
  const pixels = Uint8Array.from(rows.flatMap((row) => [0, ...row])); // each row begins with its filter, none
  return Uint8Array.from([
    ...[0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
    ...chunk("IHDR", [...word(width), ...word(height), depth, colourType, 0, 0, interlace]),
    ...before.flatMap(([type, data]) => chunk(type, data)),
    ...chunk("IDAT", zlibSync(pixels)),
    ...chunk("IEND", []),
  ]);
}

function crc32(bytes: number[]): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
