import type { Capture } from "../engine/capture.ts";
import type { Engine } from "../engine/engine.ts";
import { randn } from "../engine/random.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";

const stores = new WeakMap<Engine, Map<string, unknown>>();

/** What outlives a run: made at first use, one for all that ask with the same key. */
export function kept<T>(engine: Engine, key: string, make: () => T): T {
  let store = stores.get(engine);
  if (!store) stores.set(engine, (store = new Map()));
  if (!store.has(key)) store.set(key, make());
  return store.get(key) as T;
}

/** Frees all that is kept for an engine. What still uses it, such as a case in progress, may not. */
export function release(engine: Engine): void {
  const values = [...(stores.get(engine)?.values() ?? [])] as { dispose?(): void }[];
  for (const value of values.reverse()) value?.dispose?.();
  stores.delete(engine);
}

/** A step recorded at first use, after one run that makes its inputs, so that they do not belong to the capture. */
export const recorded = (
  engine: Engine,
  key: string,
  step: () => unknown,
  options?: Parameters<Engine["capture"]>[1],
): Capture<void> =>
  kept(engine, `recorded ${key}`, () => {
    const run = () => void step();
    engine.scope(run);
    return engine.capture(run, options);
  });

/** Standard normal numbers of a shape, the same for one seed. */
export const drawn = (engine: Engine, shape: Shape, seed = 1): Tensor =>
  kept(engine, `drawn ${shape} ${seed}`, () =>
    engine.untrack(randn(engine, shape, { seed, purpose: "user" })),
  );

/** The same with a gradient. */
export const variable = (engine: Engine, shape: Shape, seed = 1): Tensor =>
  kept(engine, `variable ${shape} ${seed}`, () =>
    engine.asVariable(randn(engine, shape, { seed, purpose: "user" })),
  );

/** Multiples of 1/64 from -1 to 1, which f16 holds exactly. */
export const halves = (engine: Engine, shape: Shape, seed = 1): Tensor =>
  kept(engine, `halves ${shape} ${seed}`, () => {
    const values = Float32Array.from({ length: sizeOf(shape) }, (_, i) => (((i + seed) * 37) % 129) / 64 - 1);
    return engine.untrack(engine.tensor(values, shape));
  });

/** Labels 0, 1, ... below `levels` in turn. */
export const labels = (engine: Engine, count: number, levels: number): Tensor =>
  kept(engine, `labels ${count} ${levels}`, () =>
    engine.untrack(engine.tensor(Int32Array.from({ length: count }, (_, i) => i % levels))),
  );

/** "8x64x32x32" */
export const times = (shape: Shape): string => shape.join("x");

/** Elements of a shape. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, length) => product * length, 1);
