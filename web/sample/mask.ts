/** Which pixels of an image are hidden, and the cursor by which the keyboard paints. */
export class Mask {
  readonly width: number;
  readonly height: number;
  /** 1 where hidden, row by row. */
  readonly hidden: Uint8Array;
  cursor: { x: number; y: number };

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.hidden = new Uint8Array(width * height);
    this.cursor = { x: width >> 1, y: height >> 1 };
  }

  get count(): number {
    return this.hidden.reduce((sum, pixel) => sum + pixel, 0);
  }

  isHidden(x: number, y: number): boolean {
    return this.hidden[y * this.width + x] === 1;
  }

  /** Hides the pixels, or shows them again, whose centres lie within a brush of so many pixels across. */
  paint(x: number, y: number, brush: number, hide = true): void {
    const radius = brush / 2;
    for (let j = 0; j < this.height; j++)
      for (let i = 0; i < this.width; i++)
        if (Math.hypot(i - x, j - y) < radius) this.hidden[j * this.width + i] = hide ? 1 : 0;
  }

  /** Paints from one pixel to another, so that a quick hand leaves no gaps. */
  stroke(from: readonly [number, number], to: readonly [number, number], brush: number, hide = true): void {
    const steps = Math.max(1, Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]));
    for (let k = 0; k <= steps; k++) {
      const at = (axis: 0 | 1) => Math.round(from[axis] + ((to[axis] - from[axis]) * k) / steps);
      this.paint(at(0), at(1), brush, hide);
    }
  }

  /** Hides just the pixels of which `where` is true. */
  set(where: (x: number, y: number) => boolean): void {
    for (let y = 0; y < this.height; y++)
      for (let x = 0; x < this.width; x++) this.hidden[y * this.width + x] = where(x, y) ? 1 : 0;
  }

  /** Moves the cursor, which stops at the edges. */
  move(dx: number, dy: number): void {
    const within = (value: number, end: number) => Math.max(0, Math.min(end - 1, value));
    this.cursor = {
      x: within(this.cursor.x + dx, this.width),
      y: within(this.cursor.y + dy, this.height),
    };
  }

  /** What samplers take: 1 where pixels are known. */
  known(): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.hidden, (pixel) => 1 - pixel);
  }

  /** In words. */
  describe(): string {
    const { x, y } = this.cursor;
    const here = this.isHidden(x, y) ? "hidden" : "known";
    return (
      `${this.count} of ${this.hidden.length} pixels hidden; ` +
      `cursor at column ${x + 1}, row ${y + 1}, a pixel that is ${here}`
    );
  }
}
