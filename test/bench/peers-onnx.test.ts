/** The ONNX writer against the protobuf encoding, read back field by field by a reader of its own. */
import { expect, test } from "vitest";
import { onnxModel } from "../../bench/peers/engines/onnx.ts";

type Field = readonly [number: number, value: bigint | Uint8Array];

/** The fields of a protobuf message, in order. */
function fields(bytes: Uint8Array): Field[] {
  const out: Field[] = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const [number, wire] = [key >> 3, key & 7];
    if (wire === 0) out.push([number, varint()]);
    else {
      const length = wire === 5 ? 4 : Number(varint());
      expect(wire === 5 || wire === 2).toBe(true);
      out.push([number, bytes.slice(at, at + length)]);
      at += length;
    }
  }
  expect(at).toBe(bytes.length);
  return out;
}

const all = (message: Uint8Array, number: number) =>
  fields(message).flatMap(([n, value]) => (n === number ? [value] : []));
const nested = (message: Uint8Array, number: number) => all(message, number) as Uint8Array[];
const text = (message: Uint8Array, number: number) =>
  nested(message, number).map((bytes) => new TextDecoder().decode(bytes));
const whole = (message: Uint8Array, number: number) =>
  (all(message, number) as bigint[]).map((v) => Number(BigInt.asIntN(64, v)));
const floats = (bytes: Uint8Array) => [...new Float32Array(bytes.slice().buffer)];

const model = onnxModel({
  constants: [
    { name: "x", dims: [1, 300], values: new Float32Array(300).fill(0.25), input: true },
    { name: "shape", dims: [2], values: [-1n, 300n] },
  ],
  nodes: [
    { op: "Reshape", inputs: ["x", "shape"], output: "flat" },
    {
      op: "Blend",
      inputs: ["flat", "x"],
      output: "y",
      domain: "com.microsoft",
      attributes: { axis: -1, perm: [0, 200], epsilon: { float: 1.5 } },
    },
  ],
  outputs: ["y"],
});

test("a model names its version, its operator sets and one graph", () => {
  expect(whole(model, 1)).toEqual([9]);
  expect(nested(model, 8).map((set) => [text(set, 1)[0], whole(set, 2)[0]])).toEqual([
    ["", 17],
    ["com.microsoft", 1],
  ]);
  expect(nested(model, 7)).toHaveLength(1);
});

const [graph] = nested(model, 7) as [Uint8Array];

test("nodes keep their order, edges, domain and attributes", () => {
  const nodes = nested(graph, 1);
  expect(nodes.map((node) => [text(node, 4)[0], text(node, 1), text(node, 2), text(node, 7)[0]])).toEqual([
    ["Reshape", ["x", "shape"], ["flat"], ""],
    ["Blend", ["flat", "x"], ["y"], "com.microsoft"],
  ]);
  const [axis, perm, epsilon] = nested(nodes[1]!, 5) as [Uint8Array, Uint8Array, Uint8Array];
  expect([text(axis, 1), whole(axis, 3), whole(axis, 20)]).toEqual([["axis"], [-1], [2]]);
  expect([text(perm, 1), whole(perm, 8), whole(perm, 20)]).toEqual([["perm"], [0, 200], [7]]);
  expect([text(epsilon, 1), floats(nested(epsilon, 2)[0]!), whole(epsilon, 20)]).toEqual([
    ["epsilon"],
    [1.5],
    [1],
  ]);
});

test("tensors keep their shape, type and bytes", () => {
  const [x, shape] = nested(graph, 5) as [Uint8Array, Uint8Array];
  expect([text(x, 8), whole(x, 1), whole(x, 2)]).toEqual([["x"], [1, 300], [1]]);
  expect(floats(nested(x, 9)[0]!)).toEqual(Array(300).fill(0.25));
  expect([text(shape, 8), whole(shape, 1), whole(shape, 2)]).toEqual([["shape"], [2], [7]]);
  expect([...new BigInt64Array(nested(shape, 9)[0]!.slice().buffer)]).toEqual([-1n, 300n]);
});

test("inputs have a type and a shape, outputs a type", () => {
  const [input] = nested(graph, 11) as [Uint8Array];
  expect(text(input, 1)).toEqual(["x"]);
  const tensor = nested(nested(input, 2)[0]!, 1)[0]!;
  expect(whole(tensor, 1)).toEqual([1]);
  expect(nested(nested(tensor, 2)[0]!, 1).map((dim) => whole(dim, 1)[0])).toEqual([1, 300]);
  const [output] = nested(graph, 12) as [Uint8Array];
  expect(text(output, 1)).toEqual(["y"]);
  expect(whole(nested(nested(output, 2)[0]!, 1)[0]!, 1)).toEqual([1]);
});
