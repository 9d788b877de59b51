import type { Engine } from "../../engine/engine.ts";
import type { Hardware } from "../../kernels/kernel.ts";

/** Runs `fn` with an engine's choices for another adapter, on its own: until `fn` returns, or its promise settles. */
export function choosingOn<T>(engine: Engine, hardware: Partial<Hardware>, fn: () => T): T {
  const given = engine.hardware;
  const restore = () => {
    Object.assign(engine, { hardware: given });
  };
  Object.assign(engine, { hardware: { ...given, ...hardware } });
  let settles = false;
  try {
    const result = fn();
    settles = result instanceof Promise;
    return result instanceof Promise ? (result.finally(restore) as T) : result;
  } finally {
    if (!settles) restore();
  }
}
