import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  readSafetensors,
  readSafetensorsMetadata,
  type WritableEntry,
  writeSafetensors,
} from "../../engine/safetensors.ts";

type Header = Record<string, unknown>;

/** A file with any header, fit or not, and so many bytes of data 0, 1, 2, ... */
function file(header: Header | string, dataBytes = 0): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  for (let i = 0; i < dataBytes; i++) bytes[8 + json.length + i] = i;
  return bytes;
}

function withData(header: Header, data: ArrayBufferView<ArrayBuffer>): Uint8Array {
  const bytes = file(header, data.byteLength);
  bytes.set(new Uint8Array(data.buffer), bytes.length - data.byteLength);
  return bytes;
}

const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe("what was written is read again", () => {
  const name = fc.oneof(
    fc.string({ minLength: 1, maxLength: 12 }),
    fc.constantFrom("0", "__proto__", "res1.0.conv1.weight", "µ→"),
  );
  const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
  const tensor = fc.tuple(shape, fc.boolean(), fc.integer()).map(([dims, int, start]): WritableEntry => {
    const size = dims.reduce((a, b) => a * b, 1);
    const values = Array.from({ length: size }, (_, i) => (start + i) | 0);
    return { shape: dims, data: int ? Int32Array.from(values) : Float32Array.from(values, (v) => v / 7) };
  });
  const files = fc.uniqueArray(fc.tuple(name, tensor), { selector: ([n]) => n, maxLength: 6 });

  test("names, order, shapes, values and metadata, bit for bit", () => {
    fc.assert(
      fc.property(files, fc.dictionary(fc.string(), fc.string()), (entries, metadata) => {
        const written = new Map(entries);
        const read = readSafetensors(writeSafetensors(written, metadata));
        expect({ ...read.metadata }).toEqual({ ...metadata });
        expect([...read.tensors.keys()].sort()).toEqual([...written.keys()].sort());
        for (const [key, { shape, data }] of written) {
          const got = read.tensors.get(key)!;
          expect(got.shape).toEqual(shape);
          expect(got.data).toEqual(data);
        }
      }),
      { seed: 3, numRuns: 100 },
    );
  });

  test("the data begins at a multiple of 8 bytes, and the tensors keep their order", () => {
    const bytes = writeSafetensors(
      new Map([
        ["b", { shape: [1], data: Float32Array.of(1) }],
        ["a", { shape: [2], data: Int32Array.of(2, 3) }],
      ]),
    );
    const headerSize = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(headerSize % 8).toBe(0);
    expect(bytes.length).toBe(8 + headerSize + 12);
    expect([...readSafetensors(bytes).tensors.keys()]).toEqual(["b", "a"]);
  });

  test("from a Node Buffer, whose slice shares memory, at any offset", () => {
    const bytes = writeSafetensors(new Map([["x", { shape: [2], data: Float32Array.of(1.5, -2) }]]));
    const shifted = Buffer.concat([Buffer.from([0]), bytes]).subarray(1);
    const { data } = readSafetensors(shifted).tensors.get("x")!;
    expect(data).toEqual(Float32Array.of(1.5, -2));
    shifted.fill(0);
    expect(data[0]).toBe(1.5);
  });
});

describe("other dtypes become float32 or int32", () => {
  const read = (dtype: string, data: ArrayBufferView<ArrayBuffer>, count: number) =>
    readSafetensors(withData({ x: entry(dtype, [count], 0, data.byteLength) }, data)).tensors.get("x")!;

  test("F64 is rounded", () => {
    expect(read("F64", Float64Array.of(0.1, 1e300, -0), 3).data).toEqual(Float32Array.of(0.1, Infinity, -0));
  });

  test("F16: normal, subnormal, zeros, infinity, NaN", () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x3555, 0x0001, 0x8000, 0x7bff, 0x7c00, 0xfc00, 0x7e00);
    const expected = [1, -2, 0.333251953125, 2 ** -24, -0, 65504, Infinity, -Infinity, NaN];
    expect(read("F16", halves, 9).data).toEqual(Float32Array.from(expected));
  });

  test("BF16 is the upper half of a float32", () => {
    const values = Uint16Array.of(0x3f80, 0xc000, 0x0001, 0x7f80);
    expect(read("BF16", values, 4).data).toEqual(Float32Array.of(1, -2, 2 ** -133, Infinity));
  });

  test("I64 that fits", () => {
    expect(read("I64", BigInt64Array.of(5n, -(2n ** 31n)), 2).data).toEqual(Int32Array.of(5, -(2 ** 31)));
  });

  test("I64 that does not fit", () => {
    expect(() => read("I64", BigInt64Array.of(2n ** 31n), 1)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: readSafetensors: x: got the I64 value 2147483648, expected one that fits 32 bits; store it as F32]`,
    );
  });
});

describe("files that are not what they should be", () => {
  test.each<[what: string, bytes: Uint8Array, message: string]>([
    ["empty", new Uint8Array(0), "got 0 bytes, expected at least 10; the file is empty or cut short"],
    [
      "a picture",
      Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13),
      'got byte 0x0 where the header begins, expected "{"; give a safetensors file',
    ],
    [
      "header cut short",
      file({ x: entry("F32", [1], 0, 4) }, 4).subarray(0, 30),
      "got 30 bytes with a header of 54, expected at least 62; the file was cut short, copy it again",
    ],
    ["header no JSON", file("{broken"), "the header is not JSON; give a safetensors file"],
    [
      "data cut short",
      file({ x: entry("F32", [1], 0, 4), y: entry("F32", [3], 4, 16) }, 12),
      "y ends at byte 16 of the data, the file holds 12; it was cut short, copy it again",
    ],
    [
      "overlap",
      file({ x: entry("F32", [2], 0, 8), y: entry("F32", [1], 4, 8) }, 8),
      "y begins at byte 4 of the data, inside x (0 to 8); the header is damaged",
    ],
    [
      "overlap behind an empty tensor",
      file({ x: entry("F32", [2], 0, 8), e: entry("F32", [0], 4, 4), y: entry("F32", [1], 4, 8) }, 8),
      "y begins at byte 4 of the data, inside x (0 to 8); the header is damaged",
    ],
    [
      "offsets and shape disagree",
      file({ x: entry("F32", [3], 0, 8) }, 8),
      "x: got 8 bytes for F32 [3], expected 12; the header is damaged",
    ],
    [
      "negative offset",
      file({ x: entry("F32", [2], -4, 4) }, 8),
      "x: got data_offsets [-4,4], expected [begin, end]",
    ],
    [
      "offset no number",
      file({ x: { dtype: "F32", shape: [2], data_offsets: "all" } }, 8),
      'x: got data_offsets "all", expected [begin, end]',
    ],
    ["bad shape", file({ x: entry("F32", [1.5], 0, 6) }, 8), "x: got shape [1.5], expected whole lengths"],
    [
      "unknown dtype",
      file({ x: entry("F8_E4M3", [4], 0, 4) }, 4),
      "x: got dtype F8_E4M3, expected one of F32, F64, F16, BF16, I32, I64; convert the tensor first",
    ],
    [
      "dtype of the prototype",
      file({ x: entry("toString", [4], 0, 4) }, 4),
      "x: got dtype toString, expected one of F32, F64, F16, BF16, I32, I64; convert the tensor first",
    ],
    [
      "entry is null",
      file({ x: null }),
      "x: got dtype undefined, expected one of F32, F64, F16, BF16, I32, I64; convert the tensor first",
    ],
    [
      "metadata of numbers",
      file({ __metadata__: { epoch: 3 } }),
      'got __metadata__ {"epoch":3}, expected strings only',
    ],
  ])("%s", (_, bytes, message) => {
    expect(messageOf(() => readSafetensors(bytes))).toBe(`readSafetensors: ${message}`);
  });

  test("what cannot be written", () => {
    const write = (name: string, given: WritableEntry, metadata = {}) =>
      messageOf(() => writeSafetensors(new Map([[name, given]]), metadata));
    const one = { shape: [1], data: Float32Array.of(1) };
    expect(write("x", { ...one, shape: [2, 2] })).toMatchInlineSnapshot(
      `"writeSafetensors: x: got 1 values for shape [2,2], expected 4"`,
    );
    expect(write("__metadata__", one)).toMatchInlineSnapshot(
      `"writeSafetensors: got a tensor named __metadata__, the format keeps that name; rename it"`,
    );
    expect(write("x", one, { epoch: 3 })).toMatchInlineSnapshot(
      `"writeSafetensors: metadata epoch: got number, expected a string; use JSON.stringify"`,
    );
  });
});

function messageOf(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing was thrown";
}

describe("the metadata alone", () => {
  const bytes = writeSafetensors(new Map([["w", { shape: [1000], data: new Float32Array(1000) }]]), {
    a: "b",
  });

  test("is read from the head of a file", () => {
    let read = 0;
    const metadata = readSafetensorsMetadata((end) => {
      read = Math.max(read, end);
      return bytes.subarray(0, end);
    });
    expect(metadata).toEqual({ a: "b" });
    expect(read).toBe(bytes.length - 4000);
  });

  test.each([0, 7, 8, 20])("of a file of %i bytes is refused as the file is", (length) => {
    const file = bytes.subarray(0, length);
    const said = (act: () => unknown) => {
      try {
        act();
      } catch (fault) {
        return (fault as Error).message;
      }
      return undefined;
    };
    expect(said(() => readSafetensorsMetadata((end) => file.subarray(0, end)))).toBe(
      said(() => readSafetensors(file)),
    );
    expect(said(() => readSafetensors(file))).toBeDefined();
  });
});
