import { expect } from "vitest";
import type { Tensor } from "../../engine/tensor.ts";
import type { Module } from "../../models/module.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

/**
 * The network's values by name, once its norms and biases are drawn anew: those that start as 1 and 0 would hide their
 * place. The frequencies W of Fourier features stay.
 */
export async function redrawn(network: Module): Promise<Map<string, Float32Array | Int32Array>> {
  const state = new Map(await network.state());
  [...state].forEach(([name, { shape, data }], i) => {
    if (shape.length !== 1 || name.endsWith(".W")) return;
    const drawn = normal(shape, 100 + i).data;
    state.set(name, { shape, data: data.map((v, k) => Math.fround(v + 0.3 * drawn[k]!)) as Float32Array });
  });
  network.load(state);
  return new Map([...state].map(([name, { data }]) => [name, data]));
}

/** The values of what `fn` computes, all else that it made being freed. */
export async function inScope(fn: () => Tensor): Promise<number[]> {
  const y = engine.scope(fn);
  const data = [...(await y.data())];
  y.dispose();
  return data;
}

/** Each value within a share of the largest. */
export function expectNear(got: readonly number[], expected: readonly number[], share: number): void {
  const largest = Math.max(...expected.map(Math.abs));
  expect(got.length).toBe(expected.length);
  for (const [i, v] of got.entries()) expect(Math.abs(v - expected[i]!)).toBeLessThan(share * largest);
}
