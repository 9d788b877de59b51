import type { Polyline } from "./strokes.ts";

/**
 * A drawn line: points in pixels, pixel centres at whole numbers, and the pen's radius in pixels at every
 * point.
 */
export interface Ink {
  line: Polyline;
  radius: readonly number[];
}

/**
 * Draws lines of ink, white on black, into size * size bytes of out from offset on. softness is the width in
 * pixels of the ramp from white to black across an edge: 1 is plain antialiasing, more is a slight blur. Each
 * segment visits only the pixels of its own box.
 */
export function rasterise(
  inks: readonly Ink[],
  softness: number,
  size: number,
  out: Uint8Array,
  offset: number,
): void {
  for (const { line, radius } of inks) {
    for (let k = 1; k < line.length; k++) {
      const [ax, ay] = line[k - 1]!;
      const [bx, by] = line[k]!;
      const [ra, rb] = [radius[k - 1]!, radius[k]!];
      const [dx, dy] = [bx - ax, by - ay];
      const perLength = 1 / Math.max(dx * dx + dy * dy, 1e-12);
      const reach = Math.max(ra, rb) + softness / 2;

      const left = Math.max(0, Math.ceil(Math.min(ax, bx) - reach));
      const right = Math.min(size - 1, Math.floor(Math.max(ax, bx) + reach));
      const top = Math.max(0, Math.ceil(Math.min(ay, by) - reach));
      const bottom = Math.min(size - 1, Math.floor(Math.max(ay, by) + reach));

      for (let y = top; y <= bottom; y++) {
        for (let x = left; x <= right; x++) {
          const along = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) * perLength));
          const ex = x - ax - along * dx;
          const ey = y - ay - along * dy;
          const inside = ra + along * (rb - ra) - Math.sqrt(ex * ex + ey * ey);
          const value = Math.round(255 * Math.min(1, 0.5 + inside / softness));
          const at = offset + y * size + x;
          if (value > out[at]!) out[at] = value;
        }
      }
    }
  }
}
