import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { SafetensorsEntry } from "../../engine/safetensors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Attributes, ReferenceCase } from "./case.ts";
import { upload } from "./op-context.ts";

/** A network as a loss calls it. */
export type Score = (x: Tensor, labels?: Tensor) => Tensor;

/** What a loss works with: the network, inputs, and the recorded draws in the order in which they were made. */
export class ModelContext {
  readonly attrs: Attributes;
  readonly engine: Engine;
  readonly score: Score;
  readonly #case: ReferenceCase;
  #drawn = 0;

  constructor(engine: Engine, c: ReferenceCase, score: Score) {
    this.attrs = c.attrs;
    this.engine = engine;
    this.score = score;
    this.#case = c;
  }

  in(name: string): Tensor {
    const found = this.optional(name);
    if (!found) throw new UsageError(`${this.#case.name}: the file has no tensor in.${name}`);
    return found;
  }

  optional(name: string): Tensor | undefined {
    const entry = this.#case.tensors.get(`in.${name}`);
    return entry && upload(this.engine, entry);
  }

  /** The values of the next draw, which is still to be made. */
  numbers(name: string): number[] {
    return [...this.#entry(name).data];
  }

  /** The next draw of the published run, by the function that made it. Throws UsageError when another one is next. */
  draw(name: string): Tensor {
    const entry = this.#entry(name);
    this.#drawn++;
    return upload(this.engine, entry);
  }

  /** Throws UsageError unless every draw was used. */
  finish(): void {
    const draws = this.#case.under("noise.").size;
    if (this.#drawn !== draws)
      throw new UsageError(`${this.#case.name}: used ${this.#drawn} of ${draws} draws`);
  }

  #entry(name: string): SafetensorsEntry {
    const key = `noise.${String(this.#drawn).padStart(3, "0")}.${name}`;
    const entry = this.#case.tensors.get(key);
    if (!entry) throw new UsageError(`${this.#case.name}: the file has no draw ${key}`);
    return entry;
  }
}
