import type { Engine } from "../../../engine/engine.ts";
import { UsageError } from "../../../engine/errors.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { Attributes, ReferenceCase } from "../case.ts";
import { upload } from "../op-context.ts";

/** What a sampler is run with: inputs, and the recorded draws in the order in which they were made. */
export class SamplerContext implements Disposable {
  readonly engine: Engine;
  readonly attrs: Attributes;
  readonly case: ReferenceCase;
  #draws: readonly string[];
  readonly #owned: Disposable[] = [];
  #drawn = 0;

  constructor(engine: Engine, c: ReferenceCase) {
    this.engine = engine;
    this.attrs = c.attrs;
    this.case = c;
    this.#draws = [...c.tensors.keys()].filter((name) => name.startsWith("noise.")).sort();
  }

  /** Keeps what goes with the context. */
  own<T extends Disposable>(it: T): T {
    this.#owned.push(it);
    return it;
  }

  in(name: string): Tensor {
    const entry = this.case.tensors.get(`in.${name}`);
    if (!entry) throw new UsageError(`${this.case.name}: the file has no tensor in.${name}`);
    return upload(this.engine, entry);
  }

  /** A tensor's values on the host, under its whole name. */
  numbers(name: string): number[] {
    const entry = this.case.tensors.get(name);
    if (!entry) throw new UsageError(`${this.case.name}: the file has no tensor ${name}`);
    return [...entry.data];
  }

  /** The next draw of the published run. Throws UsageError when all are used up. */
  draw = (): Tensor => {
    const name = this.#draws[this.#drawn++];
    if (!name) throw new UsageError(`${this.case.name}: all ${this.#draws.length} draws are used up`);
    return upload(this.engine, this.case.tensors.get(name)!);
  };

  /** Passes over one draw in each step of so many, at a place counted from 0; before the steps there is one, the prior's. */
  passOver(place: number, each: number): void {
    this.#draws = this.#draws.filter((_, i) => i === 0 || (i - 1) % each !== place);
  }

  /** Throws UsageError unless every draw was used. */
  finish(): void {
    if (this.#drawn !== this.#draws.length)
      throw new UsageError(`${this.case.name}: used ${this.#drawn} of ${this.#draws.length} draws`);
  }

  [Symbol.dispose](): void {
    for (const it of this.#owned) it[Symbol.dispose]();
  }
}
