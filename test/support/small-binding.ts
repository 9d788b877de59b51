import { expect } from "vitest";
import { boundBytes } from "../../engine/dry.ts";
import { Engine } from "../../engine/engine.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ConvProblem } from "../../kernels/conv-ways.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { choosingOn } from "./choosing-for.ts";
import { expectNear, type Tolerance } from "./near.ts";

/** Bytes that the imitated adapter binds: far less than any has, so that small tensors meet the limit. */
export const LIMIT = 1 << 16;

/** An engine on it, never closed, as that of engine.ts. */
export const engine = await Engine.create({
  poison: true,
  quiet: true,
  autotune: "off",
  limits: { maxStorageBufferBindingSize: LIMIT },
});

/** Runs `fn` with the choices for another adapter, on this one. */
export const choosingFor = <T>(hardware: Partial<Hardware>, fn: () => T): T =>
  choosingOn(engine, hardware, fn);

export const upload = (x: Array64): Tensor => engine.tensor(Float32Array.from(x.data), x.shape);

/** Holds an op of arrays that fit a binding to its oracle, and all it allocated to be given back. */
export async function checkBound(
  inputs: readonly Array64[],
  op: (...xs: Tensor[]) => Tensor,
  mathematics: (...xs: Array64[]) => Array64,
  tolerance: Tolerance,
): Promise<void> {
  const expected = mathematics(...inputs);
  for (const x of [...inputs, expected]) expect(4 * x.data.length).toBeLessThanOrEqual(LIMIT);
  const before = engine.memory().live;
  const y = engine.scope(() => op(...inputs.map(upload)));
  const got = await y.data();
  expect(y.shape).toEqual(expected.shape);
  y.dispose();
  expect(engine.memory().live).toBe(before);
  const magnitude = mathematics(...inputs.map((x) => map(x, Math.abs)));
  expectNear(got, expected, { magnitude, ...tolerance });
}

/** The largest that kernels bind in a walk, in bytes, and their names. */
export function walked(fn: () => unknown): { bound: number; kernels: string[] } {
  let bound = 0;
  const kernels: string[] = [];
  engine.dry(fn, (launch) => {
    bound = Math.max(bound, boundBytes(launch));
    kernels.push(launch.program.kernel.name);
  });
  return { bound, kernels };
}

export const attrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
/** A convolution of which tests say the sizes. */
export const plain = {
  ...{ kernel: [3, 3], stuffing: [1, 1], flip: false, half: false, attrs },
} as const satisfies Partial<ConvProblem>;
