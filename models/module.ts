import type { Engine } from "../engine/engine.ts";
import { nearest, UsageError } from "../engine/errors.ts";
import { sameShape, shapeSize, showShape } from "../engine/shapes.ts";
import { type Storage, Tensor } from "../engine/tensor.ts";

/** Values by official state_dict name. */
export type State = ReadonlyMap<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array | Int32Array }
>;

/**
 * A part of a network. Its parameters (tensors with a gradient), buffers (without) and parts are its fields, under
 * their official names; an array of parts is numbered. The order of the fields is the official order.
 */
export abstract class Module<Args extends readonly unknown[] = never[], Out = unknown> {
  /** The mathematics. Callers use `run`. */
  abstract forward(...args: Args): Out;

  /**
   * `forward` in a scope of its own: what neither the result nor a graph needs is freed at its end. The module's
   * name stands in the engine's path meanwhile, so that a fault can be named. The engine is that of the first tensor
   * among the arguments. Throws UsageError when there is none.
   */
  run(...args: Args): Out {
    const engine = engineOf(args);
    if (!engine)
      throw new UsageError(
        `${this.constructor.name}: got no tensor among the arguments, expected at least one`,
      );
    engine.path.push(this.label ?? this.constructor.name);
    try {
      return engine.scope(() => this.evaluate(engine, ...args));
    } finally {
      engine.path.pop();
    }
  }

  /** How `run` comes to its result. */
  protected evaluate(_engine: Engine, ...args: Args): Out {
    return this.forward(...args);
  }

  /** The name under which the module stands in its parent; set by `nameParts`. */
  declare label?: string;

  /** The modules that are its fields, in official order. */
  *parts(): Generator<Module> {
    for (const [name, value] of Object.entries(this))
      for (const [, module] of parts(name, value)) yield module;
  }

  /** Every parameter and buffer with its official name, in official order; not what was computed of parameters and is kept. */
  *named(prefix = ""): Generator<[name: string, value: Tensor]> {
    for (const [name, value] of Object.entries(this)) {
      if (value instanceof Tensor) {
        if (!value.node?.record) yield [prefix + name, value];
      } else for (const [part, module] of parts(name, value)) yield* module.named(`${prefix}${part}.`);
    }
  }

  /** What training moves, in official order; one that stands under several names, as tied weights do, by its first. */
  parameters(): Map<string, Tensor> {
    return new Map(onceEach(this.named()).filter(([, t]) => t.requiresGrad));
  }

  /** Gives every part its name for fault reports. Call once on the finished network. */
  nameParts(): this {
    for (const [name, value] of Object.entries(this))
      for (const [part, module] of parts(name, value)) {
        module.label = part;
        module.nameParts();
      }
    return this;
  }

  /** Values of all parameters and buffers. */
  async state(): Promise<State> {
    const entries = [...this.named()];
    const [first] = entries;
    if (!first) return new Map();
    const values = await first[1].engine.readAll(entries.map(([, t]) => t));
    return new Map(
      entries.map(([name, t], i) => [name, { shape: t.shape, data: values[i] as Float32Array }]),
    );
  }

  /**
   * Overwrites parameters and buffers; what stands under several names by the values of its first. Throws UsageError with
   * all that does not fit, before anything is written.
   */
  load(state: State): void {
    this.requireFit(state);
    for (const [name, t] of onceEach(this.named())) {
      const { data } = state.get(name)!;
      t.write(arrays[t.dtype].from(data));
    }
  }

  /** Throws UsageError as `load` does, without loading. */
  requireFit(state: State): void {
    const faults = misfits(new Map(this.named()), state);
    if (faults.length > 0) throw new UsageError(`load: the state does not fit the network:${listed(faults)}`);
  }

  /** Frees the parameters, the buffers and whatever else on the device belongs to the module. */
  dispose(): void {
    for (const value of Object.values(this)) disposeDeep(value);
  }
}

/** What `write` takes. */
const arrays = { f32: Float32Array, f16: Float32Array, i32: Int32Array, u32: Uint32Array } as const;

/** Tensors by the first of their names. */
function onceEach(named: Iterable<[string, Tensor]>): [string, Tensor][] {
  const seen = new Set<Storage>();
  return [...named].filter(([, { storage }]) => seen.size < seen.add(storage).size);
}

/** How many numbers training moves. */
export function countParameters(module: Module): number {
  let count = 0;
  for (const t of module.parameters().values()) count += shapeSize(t.shape);
  return count;
}

interface Shaped {
  readonly shape: readonly number[];
}

/** What keeps values from being a network's: every missing and misshapen name, every unexpected one with the nearest of ours. */
export function misfits(own: ReadonlyMap<string, Shaped>, given: ReadonlyMap<string, Shaped>): string[] {
  const faults: string[] = [];
  for (const [name, { shape }] of own) {
    const found = given.get(name);
    if (!found) faults.push(`missing ${name} ${showShape(shape)}`);
    else if (!sameShape(found.shape, shape))
      faults.push(`${name}: got ${showShape(found.shape)}, expected ${showShape(shape)}`);
  }
  for (const name of given.keys())
    if (!own.has(name)) faults.push(`unexpected ${name}${hint(nearest(name, own.keys()))}`);
  return faults;
}

/** Faults as the end of a message: one behind a space, several on lines of their own. */
export const listed = (faults: readonly string[]): string =>
  faults.length === 1 ? ` ${faults[0]}` : faults.map((fault) => `\n  ${fault}`).join("");

const hint = (name: string | undefined): string => (name === undefined ? "" : ` (did you mean ${name}?)`);

/** The engine of the first tensor among values, arrays of values and plain options. */
function engineOf(values: readonly unknown[]): Engine | undefined {
  for (const value of values) {
    if (value instanceof Tensor) return value.engine;
    const nested = Array.isArray(value) || (value && Object.getPrototypeOf(value) === Object.prototype);
    const engine = nested ? engineOf(Object.values(value)) : undefined;
    if (engine) return engine;
  }
  return undefined;
}

function disposeDeep(value: unknown): void {
  if (Array.isArray(value)) value.forEach(disposeDeep);
  else if (value && typeof (value as { dispose?: unknown }).dispose === "function")
    (value as { dispose(): void }).dispose();
}

function* parts(name: string, value: unknown): Generator<[string, Module]> {
  if (value instanceof Module) yield [name, value as Module];
  else if (Array.isArray(value)) for (const [i, v] of value.entries()) yield* parts(`${name}.${i}`, v);
}
