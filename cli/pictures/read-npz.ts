import { unzipSync } from "fflate";
import { UsageError } from "../../engine/errors.ts";

export interface NumpyArray {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "f4" | "f8" | "u1";
  readonly data: Float32Array | Float64Array | Uint8Array;
}

/**
 * The arrays of NumPy's .npz, as numpy.savez and savez_compressed write them. `who` begins the message of the UsageError
 * for another file, and for arrays that are not little-endian float32, float64 or uint8 in C order.
 */
export function readNpz(bytes: Uint8Array, who: string): NumpyArray[] {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes);
  } catch (cause) {
    throw new UsageError(
      `${who}: got ${bytes.length} bytes that are no whole .npz file (${(cause as Error).message}), expected what numpy.savez writes`,
    );
  }
  return Object.entries(files)
    .filter(([name]) => name.endsWith(".npy"))
    .map(([name, content]) => readNpy(name.slice(0, -".npy".length), content, who));
}

const types = {
  "<f4": { dtype: "f4", make: (raw: ArrayBuffer) => new Float32Array(raw), size: 4 },
  "<f8": { dtype: "f8", make: (raw: ArrayBuffer) => new Float64Array(raw), size: 8 },
  "|u1": { dtype: "u1", make: (raw: ArrayBuffer) => new Uint8Array(raw), size: 1 },
} as const;

function readNpy(name: string, bytes: Uint8Array, who: string): NumpyArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes[6];
  if (bytes.length < 12 || view.getUint32(0) !== 0x934e554d || (version !== 1 && version !== 2))
    throw new UsageError(`${who}: got an array "${name}" that is not of NumPy's format 1 or 2`);
  const start = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const header = new TextDecoder().decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([^']*)'/.exec(header)?.[1] ?? "nothing";
  const type = types[descr as keyof typeof types];
  if (!type || /'fortran_order':\s*True/.test(header))
    throw new UsageError(
      `${who}: got "${name}" of ${type ? "columns after each other" : descr}, expected ${Object.keys(types).join(", ")} ` +
        "in C order; store it as numpy.ascontiguousarray(x, numpy.float32)",
    );
  const shape = (/'shape':\s*\(([^)]*)\)/.exec(header)?.[1] ?? "").split(",").filter((s) => s.trim() !== "");
  const lengths = shape.map(Number);
  const size = lengths.reduce((a, b) => a * b, 1) * type.size;
  const raw = bytes.slice(start + length).buffer as ArrayBuffer;
  if (raw.byteLength !== size)
    throw new UsageError(
      `${who}: got ${raw.byteLength} bytes of "${name}" for shape (${shape.join(",")}), expected ${size}; the file is damaged`,
    );
  return { name, shape: lengths, dtype: type.dtype, data: type.make(raw) };
}
