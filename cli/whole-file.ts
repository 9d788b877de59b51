import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";

/** Bytes of a single call: Node refuses 2 GiB and more, which a checkpoint of 134 million parameters has. */
const PIECE = 2 ** 30;

/** All bytes of a file, however many. Throws what node:fs throws. */
export function readWhole(path: string, piece = PIECE): Uint8Array<ArrayBuffer> {
  const file = openSync(path, "r");
  try {
    const bytes = new Uint8Array(fstatSync(file).size);
    let read = 0;
    for (let more = -1; more !== 0; read += more)
      more = readSync(file, bytes, read, Math.min(piece, bytes.length - read), read);
    return read === bytes.length ? bytes : bytes.slice(0, read); // made shorter meanwhile
  } finally {
    closeSync(file);
  }
}

/** Writes all bytes to an open file, however many. Throws what node:fs throws. */
export function writeWhole(file: number, bytes: Uint8Array, piece = PIECE): void {
  for (let written = 0; written < bytes.length; )
    written += writeSync(file, bytes, written, Math.min(piece, bytes.length - written));
}
