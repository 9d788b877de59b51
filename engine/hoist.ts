import type { Block } from "./buffers.ts";
import type { Releases } from "./lifetimes.ts";
import { type Command, isDynamic, isWritten } from "./stream.ts";

/*
 * A sampler's step packs the same weights at each replay, and embeds the same labels until it is given others. What is
 * computed of nothing that the step changes is the same in all replays: it moves out of the step, into memory of its own,
 * and is computed again only when something that it is made of was written. What comes about twice does so once.
 */

/** Arrays that moved out of a step together: one, or all that one command writes. */
export interface Hoisted {
  readonly blocks: readonly Block[];
  /** What makes them, in order, each once, for a command may change an array in place. */
  readonly commands: readonly Command[];
  /** What they read: what the step does not write, and arrays hoisted before this one. */
  readonly reads: readonly Block[];
}

export interface HoistedStep {
  /** The step's commands, on hoisted arrays where they touched others. */
  readonly commands: readonly Command[];
  /** Those of them that the step can do without. */
  readonly moved: ReadonlySet<Command>;
  readonly hoisted: readonly Hoisted[];
}

/** Where hoisted arrays live, how much they may take, and whose values are new at each replay though no command writes them. */
interface HoistOptions {
  readonly take: (bytes: number) => Block;
  readonly room: number;
  readonly inputs: ReadonlySet<Block>;
}

/** What a block holds from one release to the next. */
interface Value {
  readonly block: Block;
  /** Whether the step leaves it there. */
  readonly kept: boolean;
  /** Places of the commands that write it, and that only read it. */
  readonly writers: number[];
  readonly readers: number[];
}

/** Moves out of a step what fits, the smallest arrays first: each spares a launch. */
export function hoist(
  commands: readonly Command[],
  releases: Releases,
  { take, room, inputs }: HoistOptions,
): HoistedStep {
  const values = valuesOf(commands, releases);
  const steady = new SteadyValues(commands, values, inputs);
  const chosen = steady.fitting(room);
  const blocks = new Map(chosen.map((v) => [v, take(v.block.bytes)]));
  const blockOf = (v: Value): Block => blocks.get(steady.first(v)) ?? v.block;

  const moved = new Set<Command>();
  const out = commands.map((command, i) => {
    if (!values[i]!.some((v) => blocks.has(steady.first(v)))) return command;
    const ranges = command.ranges.map((range, k) => ({ ...range, block: blockOf(values[i]![k]!) }));
    const renamed = { ...command, ranges };
    if (ranges.some(({ block }, k) => isWritten(command, k) && block !== command.ranges[k]!.block))
      moved.add(renamed);
    return renamed;
  });
  const together = new Map<number, Value[]>();
  for (const v of chosen) {
    const last = v.writers.at(-1)!;
    together.set(last, [...(together.get(last) ?? []), v]);
  }
  const hoisted = [...together.values()].map((those) => ({
    blocks: those.map(blockOf),
    commands: [...new Set(those.flatMap((v) => v.writers))].sort((a, b) => a - b).map((i) => out[i]!),
    reads: [...new Set(those.flatMap((v) => steady.sources(v)).map(blockOf))],
  }));
  return { commands: out, moved, hoisted };
}

/** For each command the values of its ranges. */
function valuesOf(commands: readonly Command[], releases: Releases): Value[][] {
  const found = new Map<Block, Map<number | undefined, Value>>();
  return commands.map((command, i) =>
    command.ranges.map(({ block }, k) => {
      const end = releases.after(block, i);
      let ofBlock = found.get(block);
      if (!ofBlock) found.set(block, (ofBlock = new Map()));
      let value = ofBlock.get(end);
      if (!value) ofBlock.set(end, (value = { block, kept: end === undefined, writers: [], readers: [] }));
      (isWritten(command, k) ? value.writers : value.readers).push(i);
      return value;
    }),
  );
}

/** The values of a step that are the same at each replay. */
class SteadyValues {
  readonly #commands: readonly Command[];
  readonly #values: readonly (readonly Value[])[];
  readonly #inputs: ReadonlySet<Block>;
  /** By what makes them, in the order in which they come about. */
  readonly #firsts = new Map<string, Value>();
  /** For each the first that is made in the same way. */
  readonly #first = new Map<Value, Value>();
  readonly #names = new Map<object, number>();

  constructor(
    commands: readonly Command[],
    values: readonly (readonly Value[])[],
    inputs: ReadonlySet<Block>,
  ) {
    this.#commands = commands;
    this.#values = values;
    this.#inputs = inputs;
    const repeats: boolean[] = [];
    commands.forEach((command, i) => {
      const written = this.#written(i);
      const settles = (v: Value) =>
        v.writers.at(-1) === i && isWhole(v) && v.writers.every((w) => w === i || repeats[w]);
      repeats[i] =
        !isDynamic(command) &&
        this.#read(i).every((v) => this.#isSame(v)) &&
        (written.length === 1 || written.every(settles)); // several arrays move as one
      if (repeats[i]) for (const v of written) if (settles(v)) this.#add(v);
    });
  }

  /** A value that stands for this one, itself if no other does. */
  first(v: Value): Value {
    return this.#first.get(v) ?? v;
  }

  /** What a steady value is made of. */
  sources(v: Value): Value[] {
    return v.writers.flatMap((i) => this.#read(i).map((u) => this.first(u)));
  }

  /** Those that fit into so many bytes with all that they are made of, in their order. */
  fitting(room: number): Value[] {
    const bySize = [...this.#firsts.values()].sort((a, b) => a.block.bytes - b.block.bytes);
    let taken = 0;
    const small = new Set(bySize.filter((v) => (taken += v.block.bytes) <= room));
    const chosen = new Set<Value>();
    const fits = (v: Value): boolean =>
      small.has(v) && this.sources(v).every((u) => chosen.has(u) || !this.#first.has(u));
    for (const v of this.#firsts.values()) if (this.#written(v.writers.at(-1)!).every(fits)) chosen.add(v);
    return [...chosen];
  }

  #written(i: number): Value[] {
    return this.#values[i]!.filter((_, k) => isWritten(this.#commands[i]!, k));
  }

  #read(i: number): Value[] {
    return this.#values[i]!.filter((_, k) => !isWritten(this.#commands[i]!, k));
  }

  /** Steady, or nothing that a replay could change. */
  #isSame(v: Value): boolean {
    return this.#first.has(v) || (v.kept && v.writers.length === 0 && !this.#inputs.has(v.block));
  }

  #add(v: Value): void {
    const key = this.#keyOf(v);
    if (!this.#firsts.has(key)) this.#firsts.set(key, v);
    this.#first.set(v, this.#firsts.get(key)!);
  }

  #keyOf(v: Value): string {
    const steps = v.writers.map((i) => {
      const { program, params, ranges } = this.#commands[i]!;
      const arrays = ranges.map(({ offset, size }, k) => {
        const of = this.#values[i]![k]!;
        return `${of === v ? "this" : this.#nameOf(this.first(of))}:${offset}:${size}`;
      });
      const numbers = params.map((p) => (Object.is(p, -0) ? "-0" : p));
      return `${this.#nameOf(program)}(${numbers};${arrays})`;
    });
    return `${v.block.bytes} ${steps}`;
  }

  #nameOf(thing: object): number {
    if (!this.#names.has(thing)) this.#names.set(thing, this.#names.size);
    return this.#names.get(thing)!;
  }
}

/** Whether nobody reads it before it is whole, nor after the step. */
const isWhole = ({ kept, writers, readers }: Value): boolean =>
  !kept && readers.every((i) => i > writers.at(-1)!);
