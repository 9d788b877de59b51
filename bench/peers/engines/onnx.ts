/** A tensor that lies in the model. Whole numbers (shapes, axes) go as int64. */
export interface Constant {
  readonly name: string;
  readonly dims: readonly number[];
  readonly values: Float32Array | readonly bigint[];
  /** Listed as an input too: ORT keeps it on the device, may be told another value and so folds nothing with it. */
  readonly input?: boolean;
}

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  /** Whole numbers go as ints; wrap a number that is a float by its nature in `float`. */
  readonly attributes?: Readonly<Record<string, number | readonly number[] | Float>>;
  /** "" is ONNX's own. */
  readonly domain?: string;
}

interface Float {
  readonly float: number;
}

interface Graph {
  readonly constants: readonly Constant[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly string[];
}

/** A graph as an ONNX file: the protobuf messages of onnx.proto3, IR version 9, written field by field. */
export const onnxModel = ({ constants, nodes, outputs }: Graph): Uint8Array =>
  message(
    whole(1, 9), // ir_version
    text(2, "stein"), // producer_name
    nested(
      7, // graph
      ...nodes.map((n) => nested(1, ...node(n))),
      text(2, "peers"),
      ...constants.map((c) => nested(5, ...constant(c))),
      ...constants.filter((c) => c.input).map((c) => nested(11, ...valueInfo(c.name, c.dims))),
      ...outputs.map((name) => nested(12, ...valueInfo(name))),
    ),
    nested(8, text(1, ""), whole(2, 17)), // opset_import
    nested(8, text(1, "com.microsoft"), whole(2, 1)),
  );

const FLOAT = 1;
const INT64 = 7;

const node = ({ op, inputs, output, attributes = {}, domain = "" }: Node): Uint8Array[] => [
  ...inputs.map((name) => text(1, name)),
  text(2, output),
  text(3, output), // a name of its own, for ORT's messages
  text(4, op),
  ...Object.entries(attributes).map(([name, value]) => nested(5, text(1, name), ...attribute(value))),
  text(7, domain),
];

function attribute(value: number | readonly number[] | Float): Uint8Array[] {
  if (typeof value === "number") return [whole(3, value), whole(20, 2)];
  if ("float" in value) return [single(2, value.float), whole(20, 1)];
  return [...value.map((v) => whole(8, v)), whole(20, 7)];
}

function constant({ name, dims, values }: Constant): Uint8Array[] {
  const data = values instanceof Float32Array ? values : BigInt64Array.from(values);
  return [
    ...dims.map((length) => whole(1, length)),
    whole(2, values instanceof Float32Array ? FLOAT : INT64),
    text(8, name),
    bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  ];
}

function valueInfo(name: string, dims?: readonly number[]): Uint8Array[] {
  const shape = dims ? [nested(2, ...dims.map((length) => nested(1, whole(1, length))))] : [];
  return [text(1, name), nested(2, nested(1, whole(1, FLOAT), ...shape))];
}

// Protobuf: a key (field number, wire type), then a variable-length number, four bytes, or a length and bytes.

const [VARINT, LENGTH, FOUR_BYTES] = [0, 2, 5];

const whole = (field: number, value: number): Uint8Array => message(key(field, VARINT), varint(value));
const single = (field: number, value: number): Uint8Array =>
  message(key(field, FOUR_BYTES), new Uint8Array(Float32Array.of(value).buffer));
const bytes = (field: number, value: Uint8Array): Uint8Array =>
  message(key(field, LENGTH), varint(value.length), value);
const text = (field: number, value: string): Uint8Array => bytes(field, new TextEncoder().encode(value));
const nested = (field: number, ...parts: Uint8Array[]): Uint8Array => bytes(field, message(...parts));

const key = (field: number, wire: number): Uint8Array => varint(8 * field + wire);

/** Seven bits a byte, the lowest first; negative numbers as 64-bit two's complement. */
function varint(value: number): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const out: number[] = [];
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    out.push(rest === 0n ? low : low + 128);
  } while (rest !== 0n);
  return Uint8Array.from(out);
}

function message(...parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
