import { zipSync } from "fflate";

/** Arrays of f32 by name as NumPy's .npz: numpy.load reads it. */
export function npz(
  arrays: Readonly<Record<string, { data: Float32Array; shape: readonly number[] }>>,
): Uint8Array<ArrayBuffer> {
  const files = Object.entries(arrays).map(([name, { data, shape }]) => [`${name}.npy`, npy(data, shape)]);
  return new Uint8Array(zipSync(Object.fromEntries(files), { level: 0, mtime: "1980-01-01" }));
}

/** NumPy's format 1.0: the header ends with a line feed at a multiple of 64 bytes. */
function npy(data: Float32Array, shape: readonly number[]): Uint8Array {
  const tuple = `(${shape.join(", ")}${shape.length === 1 ? "," : ""})`;
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': ${tuple}, }`;
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const out = new Uint8Array(10 + length + data.byteLength);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, length & 255, length >> 8]);
  out.set(new TextEncoder().encode(`${text.padEnd(length - 1)}\n`), 10);
  out.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + length);
  return out;
}
