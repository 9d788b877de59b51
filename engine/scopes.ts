import { requirePlain } from "./modes.ts";
import { Tensor } from "./tensor.ts";

/** Scopes that are open, innermost last, and the tensors that each will dispose. */
export class Scopes {
  readonly #open: Set<Tensor>[] = [];

  /**
   * Runs `fn` and disposes what was added in it, but for the tensors it returns, which pass to the scope around. Throws
   * UsageError for an async function.
   */
  run<T>(fn: () => T): T {
    const made = new Set<Tensor>();
    this.#open.push(made);
    let result: T | undefined;
    try {
      result = fn();
      requirePlain("scope", result);
    } finally {
      this.#open.pop();
      if (result instanceof Tensor) {
        if (made.delete(result)) this.add(result); // what most return
      } else
        forEachTensor(result, (t) => {
          if (made.delete(t)) this.add(t);
        });
      for (const t of made) t.dispose();
    }
    return result;
  }

  /** As `run`, and the tensors that were handed on, which pass to no scope: they are the caller's. */
  runOwned<T>(fn: () => T): { result: T; own: ReadonlySet<Tensor> } {
    const own = new Set<Tensor>();
    this.#open.push(own);
    try {
      return { result: this.run(fn), own };
    } finally {
      this.#open.pop();
    }
  }

  /** To the innermost. */
  add(t: Tensor): void {
    this.#open.at(-1)?.add(t);
  }

  remove(t: Tensor): void {
    for (const scope of this.#open) scope.delete(t);
  }
}

/** Tensors alone, and in arrays and plain objects, which may hold each other in circles. */
function forEachTensor(value: unknown, fn: (t: Tensor) => void, seen = new Set<unknown>()): void {
  if (value instanceof Tensor) fn(value);
  else if (value && typeof value === "object" && !seen.has(value)) {
    const proto = Object.getPrototypeOf(value);
    if (!Array.isArray(value) && proto !== Object.prototype && proto !== null) return;
    seen.add(value);
    for (const v of Object.values(value)) forEachTensor(v, fn, seen);
  }
}
