import { UsageError } from "./errors.ts";
import { halfToFloat } from "./half.ts";
import { type Dtype, dtypeOf, type HostData, type Tensor } from "./tensor.ts";

/** Values on their way to the device. Throws UsageError for values of another dtype than asked for, and for f16. */
export function fromHost(data: HostData | readonly number[], dtype: Dtype | undefined): HostData {
  if (dtype === "f16")
    throw new UsageError('tensor: got dtype f16, expected f32, i32 or u32; cast(x, "f16") stores x so');
  if (ArrayBuffer.isView(data)) {
    const own = dtypeOf("tensor", data);
    if (dtype !== undefined && dtype !== own)
      throw new UsageError(`tensor: got ${own} values, expected ${dtype}`);
    return data;
  }
  const values = data as readonly number[];
  requireNumbers(values, dtype);
  if (dtype === "i32") return Int32Array.from(values);
  return dtype === "u32" ? Uint32Array.from(values) : Float32Array.from(values);
}

/** Throws UsageError for what a typed array would silently make another number of. */
function requireNumbers(values: readonly unknown[], dtype: Dtype = "f32"): void {
  if (!Array.isArray(values))
    throw new UsageError(`tensor: got ${values}, expected an array of numbers, such as [1, 2]`);
  const least = dtype === "i32" ? -(2 ** 31) : 0;
  const fits = (v: number) => dtype === "f32" || (Number.isInteger(v) && v >= least && v < least + 2 ** 32);
  const bad = values.findIndex((v) => typeof v !== "number" || !fits(v));
  if (bad < 0) return;
  const value = values[bad];
  if (Array.isArray(value))
    throw new UsageError(
      "tensor: got an array of arrays, expected numbers in one array; flatten it and give the shape",
    );
  throw new UsageError(
    `tensor: got ${typeof value === "string" ? JSON.stringify(value) : String(value)} at place ${bad}, expected ${dtype === "f32" ? "a number" : `a whole number that ${dtype} holds`}`,
  );
}

/** A tensor's bytes as the numbers they stand for. */
export function toHost(bytes: ArrayBuffer, { dtype, size }: Tensor): HostData {
  if (dtype === "f16") return Float32Array.from(new Uint16Array(bytes, 0, size), halfToFloat);
  if (dtype === "f32") return new Float32Array(bytes);
  return dtype === "i32" ? new Int32Array(bytes) : new Uint32Array(bytes);
}
