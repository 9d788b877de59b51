/** gifenc 1.0.3 ships no types. It is CommonJS: in plain Node its names are found only in the default export. */
declare module "gifenc" {
  /** Up to 256 colours, [red, green, blue] in bytes. */
  type Palette = number[][];

  interface FrameOptions {
    /** Needed in the first frame, and then the file's; in a later frame, that frame's own. */
    palette?: Palette;
    /** Milliseconds. */
    delay?: number;
    /** 0: for ever; -1: once. Read in the first frame. */
    repeat?: number;
  }

  interface Encoder {
    writeFrame(indices: Uint8Array, width: number, height: number, options?: FrameOptions): void;
    finish(): void;
    bytes(): Uint8Array<ArrayBuffer>;
  }

  interface Gifenc {
    GIFEncoder(): Encoder;
    quantize(rgba: Uint8Array, maxColors: number): Palette;
    applyPalette(rgba: Uint8Array, palette: Palette): Uint8Array;
  }

  const exported: Gifenc;
  export default exported;
}
