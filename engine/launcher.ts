import type { Kernel, Variant } from "../kernels/kernel.ts";
import type { Launch } from "./dry.ts";
import type { Engine } from "./engine.ts";
import { invariant, UsageError } from "./errors.ts";
import type { Program, ProgramCache } from "./programs.ts";
import { pieceOf, pieceRanges, wholeRanges } from "./ranges.ts";
import { numberOf, type ScalarLike } from "./scalar.ts";
import { showShape } from "./shapes.ts";
import type { BlockRange, Command, CommandStream } from "./stream.ts";
import type { Tensor } from "./tensor.ts";

type Tensors = Readonly<Record<string, Tensor>>;
type Params = Readonly<Record<string, ScalarLike>>;

/** Makes commands of launches: the stream runs them, a recorder keeps them too, and a walk is told of launches instead. */
export class Launcher {
  readonly #engine: Engine;
  readonly #programs: ProgramCache;
  readonly #stream: CommandStream;
  /** Bytes of a tensor that a kernel can see at once. */
  readonly #limit: number;
  #recorder: Command[] | undefined;
  /** Told of the dispatches that a walk leaves out. */
  #onLaunch: ((launch: Launch) => void) | undefined;
  /** Operations that the launches to come stand for; those after the first for none. */
  #asked: number | undefined;

  constructor(engine: Engine, programs: ProgramCache, stream: CommandStream, limit: number) {
    this.#engine = engine;
    this.#programs = programs;
    this.#stream = stream;
    this.#limit = limit;
  }

  get recording(): boolean {
    return this.#recorder !== undefined;
  }

  /** Nothing reaches the device. */
  get walking(): boolean {
    return this.#onLaunch !== undefined;
  }

  /** See Engine.launch. */
  launch(kernel: Kernel, variant: Variant, tensors: Tensors, params: Params): void {
    const bindings = kernel.bindings(variant);
    this.#requireOwn(kernel, bindings, tensors);
    const program = this.#programs.find(kernel, variant, halvesOf(bindings, tensors));
    if (this.#onLaunch) {
      this.#onLaunch({ program, tensors, params, inPieces: false, asked: this.#asked });
      if (this.#asked !== undefined) this.#asked = 0;
      return;
    }
    this.#dispatch(program, wholeRanges(kernel.name, bindings, tensors, this.#limit), params);
  }

  /** See Engine.launchLinear. */
  launchLinear(kernel: Kernel, variant: Variant, tensors: Tensors, params: Params, count: number): void {
    const bindings = kernel.bindings(variant);
    this.#requireOwn(kernel, bindings, tensors);
    const program = this.#programs.find(kernel, variant, halvesOf(bindings, tensors));
    if (this.#onLaunch) {
      this.#onLaunch({ program, tensors, params: { ...params, count, start: 0 }, inPieces: true });
      return;
    }
    const piece = pieceOf(count, this.#limit);
    for (let start = 0; start < count; start += piece) {
      const here = Math.min(piece, count - start);
      const ranges = pieceRanges(kernel.name, bindings, tensors, { start, here, count }, this.#limit);
      this.#dispatch(program, ranges, { ...params, count: here, start });
    }
  }

  /** See Engine.standingFor. */
  standingFor<T>(flops: number, fn: () => T): T {
    const before = this.#asked;
    this.#asked = flops;
    try {
      return fn();
    } finally {
      this.#asked = before;
    }
  }

  /** Runs `fn` and adds its commands to a list too. */
  record<T>(commands: Command[], fn: () => T): T {
    this.#recorder = commands;
    try {
      return fn();
    } finally {
      this.#recorder = undefined;
    }
  }

  /** Runs `fn` with dispatches left out; `onLaunch` is told of each. */
  walk<T>(onLaunch: (launch: Launch) => void, fn: () => T): T {
    const before = this.#onLaunch;
    this.#onLaunch = onLaunch;
    try {
      return fn();
    } finally {
      this.#onLaunch = before;
    }
  }

  #requireOwn(kernel: Kernel, bindings: object, tensors: Tensors): void {
    for (const name in bindings)
      if (tensors[name]!.engine !== this.#engine)
        throw new UsageError(
          `${kernel.name}: got ${name} ${showShape(tensors[name]!.shape)} of another engine, expected all of one; ` +
            "make it on this engine",
        );
  }

  #dispatch(program: Program, ranges: BlockRange[], named: Params): void {
    const { kernel, variant } = program;
    const params: ScalarLike[] = [];
    const numbers: Record<string, number> = {};
    for (const name in kernel.params) {
      const value = named[name];
      invariant(value !== undefined, `${kernel.name}: parameter ${name} is missing`);
      params.push(value);
      numbers[name] = numberOf(value);
    }
    const command = { program, ranges, params, groups: kernel.dispatch(numbers, variant) };
    this.#recorder?.push(command);
    this.#stream.dispatch(command);
  }
}

/** The bindings whose tensors are stored as f16. */
function halvesOf(bindings: object, tensors: Tensors): string[] {
  return Object.keys(bindings).filter((name) => tensors[name]!.dtype === "f16");
}
