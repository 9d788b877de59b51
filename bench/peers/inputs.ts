import type { Problem, ProblemOf } from "./workloads.ts";

/** Named arrays with their shapes, images as NCHW and weights as OIHW: the same in every process. */
export interface HostArray {
  readonly dims: readonly number[];
  readonly values: Float32Array<ArrayBuffer>;
}

/** Elements of a shape. */
export const sizeOf = (dims: readonly number[]): number =>
  dims.reduce((product, length) => product * length, 1);

/** Standard normal numbers times `scale`, by Box-Muller of a 32-bit mixing of (seed, index): no state, no order. */
export function normals(dims: readonly number[], seed: number, scale = 1): HostArray {
  const values = new Float32Array(sizeOf(dims));
  for (let i = 0; i < values.length; i++) {
    const radius = Math.sqrt(-2 * Math.log((mixed(seed, 2 * i) + 1) / 2 ** 32));
    values[i] = scale * radius * Math.cos((2 * Math.PI * mixed(seed, 2 * i + 1)) / 2 ** 32);
  }
  return { dims, values };
}

/** A word in [0, 2^32) out of two: the finalizer of MurmurHash3 over their combination. */
function mixed(seed: number, i: number): number {
  let h = Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(i + 0x7f4a7c15, 0x85ebca6b);
  for (const factor of [0x85ebca6b, 0xc2b2ae35]) h = Math.imul(h ^ (h >>> 16), factor);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 16)) >>> 0;
}

/** What goes into a problem, in the order its engines take it. */
export function inputsOf(problem: Problem): Record<string, HostArray> {
  switch (problem.kind) {
    case "matmul":
      return named(["a", "b"], [problem.size, problem.size]);
    case "conv": {
      const { batch, channels, size, pass } = problem;
      const image = [batch, channels, size, size];
      return {
        x: normals(image, 1),
        w: normals([channels, channels, 3, 3], 2, 1 / Math.sqrt(9 * channels)),
        ...(pass === "backward" && { dy: normals(image, 3) }),
      };
    }
    case "norm": {
      const { batch, channels, size, pass } = problem;
      return named(pass === "both" ? ["x", "dy"] : ["x"], [batch, channels, size, size]);
    }
    case "attention": {
      const { batch, channels, positions, pass } = problem;
      return named(["q", "k", "v", ...(pass === "both" ? ["dy"] : [])], [batch, channels, positions]);
    }
    case "langevin":
      return { x: normals(problem.shape, 1, CHAIN_START) };
    case "training":
      return {
        x: normals([problem.batch, 3, problem.size, problem.size], 1),
        ...parameters(problem),
      };
    case "adds":
      return named(["x", "d"], [problem.size]);
  }
}

const named = (names: readonly string[], dims: readonly number[]): Record<string, HostArray> =>
  Object.fromEntries(names.map((name, i) => [name, normals(dims, i + 1)]));

/** Standard deviation that a Langevin chain starts with. */
export const CHAIN_START = 2;

/** Dilations of the network's convolutions, the first and the last included. */
export const layersOf = ({ dilations }: ProblemOf<"training">): readonly number[] => [1, ...dilations, 1];

/** Weight and bias of each convolution: weight0, bias0, weight1, ... */
function parameters(problem: ProblemOf<"training">): Record<string, HostArray> {
  const layers = layersOf(problem);
  const channels = [3, ...problem.dilations.map(() => problem.width), problem.width, 3];
  return Object.fromEntries(
    layers.flatMap((_, i) => {
      const [into, out] = [channels[i]!, channels[i + 1]!];
      return [
        [`weight${i}`, normals([out, into, 3, 3], 10 + 2 * i, 1 / Math.sqrt(9 * into))],
        [`bias${i}`, normals([out], 11 + 2 * i, 0.1)],
      ];
    }),
  );
}

/** The axes of an array in another order, as a copy: [0,2,3,1] turns NCHW into NHWC. */
export function transposed({ dims, values }: HostArray, order: readonly number[]): HostArray {
  const strides = dims.map((_, i) => sizeOf(dims.slice(i + 1)));
  const out = new Float32Array(values.length);
  const to = order.map((axis) => dims[axis]!);
  const step = order.map((axis) => strides[axis]!);
  const at = to.map(() => 0);
  for (let i = 0, from = 0; i < out.length; i++) {
    out[i] = values[from]!;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      from += step[axis]!;
      if (++at[axis]! < to[axis]!) break;
      from -= step[axis]! * to[axis]!;
      at[axis] = 0;
    }
  }
  return { dims: to, values: out };
}
