import { UsageError } from "./errors.ts";
import { halfToFloat } from "./half.ts";
import { shapeSize, showShape } from "./shapes.ts";

/*
 * The safetensors format: 8 bytes little-endian header length, a JSON header, raw little-endian data.
 * The header maps each name to { dtype, shape, data_offsets: [begin, end) } counted from the end of the header,
 * and "__metadata__" to strings.
 */

/** Float types are widened or rounded to float32 on reading. */
export interface FloatEntry {
  readonly dtype: "F32" | "F64" | "F16" | "BF16";
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** Integer types become int32 on reading. */
export interface IntEntry {
  readonly dtype: "I32" | "I64";
  readonly shape: readonly number[];
  readonly data: Int32Array<ArrayBuffer>;
}

/** A tensor of a file. */
export type SafetensorsEntry = FloatEntry | IntEntry;
type StoredDtype = SafetensorsEntry["dtype"];

/** What a file holds. */
export interface Safetensors {
  /** In the order of the data. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

const PREFIX = 8;
const METADATA = "__metadata__";
const widths: Record<StoredDtype, number> = { F32: 4, F64: 8, F16: 2, BF16: 2, I32: 4, I64: 8 };

interface Place {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * The tensors of a file, copied out of `bytes`. Throws UsageError, naming sizes and the tensor at fault, for a
 * truncated or foreign file, offsets that overlap or leave it, a dtype not in the list, or an I64 beyond int32.
 */
export function readSafetensors(bytes: Uint8Array): Safetensors {
  const { header, dataStart } = readHeader(bytes);
  const dataSize = bytes.length - dataStart;
  const places = Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, value]) => placeOf(name, value))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  requireApart(places, dataSize);
  const tensors = new Map<string, SafetensorsEntry>();
  for (const place of places) {
    // A copy by construction: the slice of a Node Buffer shares its memory.
    const raw = new Uint8Array(bytes.subarray(dataStart + place.begin, dataStart + place.end)).buffer;
    tensors.set(place.name, decode(place, raw));
  }
  return { tensors, metadata: metadataOf(header[METADATA]) };
}

/**
 * The metadata alone, of a file that need not be loaded: `read` gives its bytes from the first up to `end`, or all if it
 * has fewer. Throws UsageError as `readSafetensors` does.
 */
export function readSafetensorsMetadata(read: (end: number) => Uint8Array): Readonly<Record<string, string>> {
  const head = read(PREFIX);
  const length =
    head.length < PREFIX ? 0 : Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true));
  return metadataOf(readHeader(read(PREFIX + length)).header[METADATA]);
}

function readHeader(bytes: Uint8Array): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < PREFIX + 2)
    refuse(`got ${bytes.length} bytes, expected at least ${PREFIX + 2}; the file is empty or cut short`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const first = bytes[PREFIX]!;
  if (first !== 0x7b)
    refuse(`got byte 0x${first.toString(16)} where the header begins, expected "{"; give a safetensors file`);
  if (PREFIX + length > bytes.length)
    refuse(
      `got ${bytes.length} bytes with a header of ${length}, expected at least ${PREFIX + length}; ` +
        "the file was cut short, copy it again",
    );
  const text = new TextDecoder().decode(bytes.subarray(PREFIX, PREFIX + length));
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (cause) {
    refuse("the header is not JSON; give a safetensors file", { cause });
  }
  return { header: header as Record<string, unknown>, dataStart: PREFIX + length };
}

function placeOf(name: string, value: unknown): Place {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  if (typeof dtype !== "string" || !Object.hasOwn(widths, dtype))
    refuse(
      `${name}: got dtype ${dtype}, expected one of ${Object.keys(widths).join(", ")}; convert the tensor first`,
    );
  if (!isCounts(shape)) refuse(`${name}: got shape ${JSON.stringify(shape)}, expected whole lengths`);
  if (!isCounts(offsets) || offsets.length !== 2)
    refuse(`${name}: got data_offsets ${JSON.stringify(offsets)}, expected [begin, end]`);
  const [begin, end] = offsets as [number, number];
  const bytes = shapeSize(shape) * widths[dtype as StoredDtype];
  if (end - begin !== bytes)
    refuse(
      `${name}: got ${end - begin} bytes for ${dtype} ${showShape(shape)}, expected ${bytes}; the header is damaged`,
    );
  return { name, dtype: dtype as StoredDtype, shape, begin, end };
}

const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((v) => Number.isSafeInteger(v) && v >= 0);

/** Places in ascending order must neither overlap nor leave the file. */
function requireApart(places: readonly Place[], dataSize: number): void {
  const cut = places.find(({ end }) => end > dataSize);
  if (cut)
    refuse(
      `${cut.name} ends at byte ${cut.end} of the data, the file holds ${dataSize}; it was cut short, copy it again`,
    );
  let before: Place | undefined;
  for (const place of places) {
    if (before && place.begin < before.end && place.end > place.begin)
      refuse(
        `${place.name} begins at byte ${place.begin} of the data, inside ${before.name} ` +
          `(${before.begin} to ${before.end}); the header is damaged`,
      );
    if (!before || place.end > before.end) before = place;
  }
}

function decode({ name, dtype, shape }: Place, raw: ArrayBuffer): SafetensorsEntry {
  switch (dtype) {
    case "F32":
      return { dtype, shape, data: new Float32Array(raw) };
    case "F64":
      return { dtype, shape, data: Float32Array.from(new Float64Array(raw)) };
    case "F16":
      return { dtype, shape, data: Float32Array.from(new Uint16Array(raw), halfToFloat) };
    case "BF16":
      return {
        dtype,
        shape,
        data: new Float32Array(Uint32Array.from(new Uint16Array(raw), (h) => h << 16).buffer),
      };
    case "I32":
      return { dtype, shape, data: new Int32Array(raw) };
    case "I64":
      return { dtype, shape, data: narrow(name, new BigInt64Array(raw)) };
  }
}

function narrow(name: string, wide: BigInt64Array): Int32Array<ArrayBuffer> {
  return Int32Array.from(wide, (value) => {
    if (BigInt.asIntN(32, value) !== value)
      refuse(`${name}: got the I64 value ${value}, expected one that fits 32 bits; store it as F32`);
    return Number(value);
  });
}

function metadataOf(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!value || typeof value !== "object" || Object.values(value).some((v) => typeof v !== "string"))
    refuse(`got ${METADATA} ${JSON.stringify(value)?.slice(0, 60)}, expected strings only`);
  return value as Record<string, string>;
}

function refuse(message: string, options?: ErrorOptions): never {
  throw new UsageError(`readSafetensors: ${message}`, options);
}

/** What can be written: float32 or int32 values with their shape. */
export interface WritableEntry {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

/**
 * A file of F32 and I32 tensors in the order of the map, the data at a multiple of 8 bytes.
 * Throws UsageError when values do not fill a shape, or a name or the metadata cannot be stored.
 */
export function writeSafetensors(
  tensors: ReadonlyMap<string, WritableEntry>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const fields = [`${JSON.stringify(METADATA)}:${JSON.stringify(requireStrings(metadata))}`];
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    if (name === METADATA)
      throw new UsageError(
        `writeSafetensors: got a tensor named ${METADATA}, the format keeps that name; rename it`,
      );
    if (shapeSize(shape) !== data.length)
      throw new UsageError(
        `writeSafetensors: ${name}: got ${data.length} values for shape ${showShape(shape)}, expected ${shapeSize(shape)}`,
      );
    const begin = end;
    end += data.byteLength;
    const dtype = data instanceof Float32Array ? "F32" : "I32";
    fields.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const headerSize = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(PREFIX + headerSize + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerSize), true);
  bytes.fill(0x20, PREFIX, PREFIX + headerSize); // JSON may end in spaces
  bytes.set(json, PREFIX);
  let at = PREFIX + headerSize;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

function requireStrings(metadata: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [key, value] of Object.entries(metadata))
    if (typeof value !== "string")
      throw new UsageError(
        `writeSafetensors: metadata ${key}: got ${typeof value}, expected a string; use JSON.stringify`,
      );
  return metadata;
}
