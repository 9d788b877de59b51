import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { SafetensorsEntry } from "../../engine/safetensors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import type { Module } from "../../models/module.ts";
import type { Attributes, ReferenceCase } from "./case.ts";

/** What a runner of an op works with: attributes, inputs, and a place for a module's parameters. */
export class OpContext {
  readonly attrs: Attributes;
  readonly init: Init;
  /** Leaves whose gradients the file holds, by their names in it. */
  readonly leaves = new Map<string, Tensor>();
  readonly #modules: Module[] = [];
  readonly #case: ReferenceCase;
  readonly #engine: Engine;

  constructor(engine: Engine, c: ReferenceCase) {
    this.attrs = c.attrs;
    this.init = new Init(engine);
    this.#case = c;
    this.#engine = engine;
  }

  /** The tensor in.NAME. */
  in(name: string): Tensor {
    const found = this.optional(name);
    if (!found) throw new UsageError(`${this.#case.name}: the file has no tensor in.${name}`);
    return found;
  }

  /** The tensor in.NAME as float32, whatever the file stores. */
  float(name: string): Tensor {
    this.in(name);
    const { data, shape } = this.#case.tensors.get(`in.${name}`)!;
    return this.#engine.tensor(Float32Array.from(data), shape);
  }

  optional(name: string): Tensor | undefined {
    const key = `in.${name}`;
    const made = this.leaves.get(key);
    const entry = this.#case.tensors.get(key);
    if (made || !entry) return made;
    const t = upload(this.#engine, entry);
    if (!this.#case.tensors.has(`grad.${key}`)) return t;
    this.leaves.set(key, this.#engine.asVariable(t));
    return t;
  }

  /** Inputs x, x2, x3, ... as far as there are. */
  inputs(name: string): Tensor[] {
    const found = [this.in(name)];
    for (let i = 2, next: Tensor | undefined; (next = this.optional(`${name}${i}`)); i++) found.push(next);
    return found;
  }

  /** The shape of a tensor of the file. */
  shape(name: string): readonly number[] {
    return this.#case.shape(name);
  }

  /** Names of the file's parameters. */
  parameterNames(): string[] {
    return [...this.#case.under("param.").keys()];
  }

  /** The module with the file's parameters. */
  load<M extends Module>(module: M): M {
    this.#modules.push(module);
    module.load(this.#case.under("param."));
    for (const [name, t] of module.named()) this.leaves.set(`param.${name}`, t);
    return module;
  }

  /** Frees the inputs and the modules. */
  dispose(): void {
    for (const t of this.leaves.values()) t.dispose();
    for (const module of this.#modules) module.dispose();
  }
}

export type OpRunner = (c: OpContext) => Tensor;

export const upload = (engine: Engine, { data, shape }: SafetensorsEntry): Tensor =>
  engine.tensor(data, shape);
