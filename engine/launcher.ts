import type { Kernel, Variant } from "../kernels/kernel.ts";
import type { Launch } from "./dry.ts";
import type { Engine } from "./engine.ts";
import { invariant, UsageError } from "./errors.ts";
import type { Replays } from "./graph.ts";
import type { Program, ProgramCache } from "./programs.ts";
import { pieceOf, pieceRanges, wholeRanges } from "./ranges.ts";
import type { ScalarLike } from "./scalar.ts";
import { showShape } from "./shapes.ts";
import type { BlockRange, Command, CommandStream } from "./stream.ts";
import type { Tensor } from "./tensor.ts";

type Tensors = Readonly<Record<string, Tensor>>;
type Params = Readonly<Record<string, ScalarLike>>;

/** A step that is run once to be replayed. */
interface Recording {
  readonly commands: Command[];
  readonly replays: Replays;
}

/** Makes commands of launches: the stream runs them, a recorder keeps them too, and a walk is told of launches instead. */
export class Launcher {
  readonly #engine: Engine;
  readonly #programs: ProgramCache;
  readonly #stream: CommandStream;
  /** Bytes of a tensor that a kernel can see at once. */
  readonly #limit: number;
  #recording: Recording | undefined;
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
    return this.#recording !== undefined;
  }

  /** Of the step that is being recorded. */
  get replays(): Replays | undefined {
    return this.#recording?.replays;
  }

  /** Nothing reaches the device. */
  get walking(): boolean {
    return this.#onLaunch !== undefined;
  }

  /** See Engine.launch. */
  launch(kernel: Kernel, variant: Variant, tensors: Tensors, params: Params): void {
    const program = this.#program(kernel, variant, tensors);
    if (this.#onLaunch) {
      this.#onLaunch({ program, tensors, params, inPieces: false, asked: this.#asked });
      if (this.#asked !== undefined) this.#asked = 0;
      return;
    }
    this.#dispatch(program, wholeRanges(program, tensors, this.#limit), params);
  }

  /** See Engine.launchLinear. */
  launchLinear(kernel: Kernel, variant: Variant, tensors: Tensors, params: Params, count: number): void {
    const program = this.#program(kernel, variant, tensors);
    if (this.#onLaunch) {
      this.#onLaunch({ program, tensors, params: { count, start: 0, ...params }, inPieces: true });
      return;
    }
    const piece = pieceOf(count, this.#limit);
    for (let start = 0; start < count; start += piece) {
      const here = Math.min(piece, count - start);
      const ranges = pieceRanges(program, tensors, { start, here, count }, this.#limit);
      // Not { ...params, count: here, start }: V8 takes microseconds to add a property to a copy.
      const named: Record<string, ScalarLike> = { count: 0, start: 0, ...params };
      named.count = here;
      named.start = start;
      this.#dispatch(program, ranges, named);
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

  /** Runs `fn` and adds its commands to those of a recording too. */
  record<T>(recording: Recording, fn: () => T): T {
    this.#recording = recording;
    try {
      return fn();
    } finally {
      this.#recording = undefined;
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

  /** The program for these tensors, with their types. */
  #program(kernel: Kernel, variant: Variant, tensors: Tensors): Program {
    const program = this.#programs.find(kernel, variant);
    let half = false;
    for (const name of program.bindings) {
      const { engine, dtype, shape } = tensors[name]!;
      if (engine !== this.#engine)
        throw new UsageError(
          `${kernel.name}: got ${name} ${showShape(shape)} of another engine, expected all of one; ` +
            "make it on this engine",
        );
      half ||= dtype === "f16";
    }
    if (!half) return program;
    return this.#programs.find(
      kernel,
      variant,
      program.bindings.filter((name) => tensors[name]!.dtype === "f16"),
    );
  }

  #dispatch(program: Program, ranges: BlockRange[], named: Params): void {
    const { kernel, variant } = program;
    const params: ScalarLike[] = [];
    let numbers = named;
    for (const name of program.params) {
      const value = named[name];
      if (value === undefined) invariant(false, `${kernel.name}: parameter ${name} is missing`);
      params.push(value);
      if (typeof value === "number") continue;
      if (numbers === named) numbers = { ...named };
      (numbers as Record<string, number>)[name] = value.value;
    }
    const groups = kernel.dispatch(numbers as Record<string, number>, variant);
    const command = { program, ranges, params, groups };
    this.#recording?.commands.push(command);
    this.#stream.dispatch(command);
  }
}
