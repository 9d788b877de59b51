import type { Kernel, Lanewise, Variant } from "../kernels/kernel.ts";
import { type FusedArray, type FusedStep, fuse, ownParams } from "../kernels/lanewise.ts";
import type { Block } from "./buffers.ts";
import { type Program, type ProgramCache, SLOT } from "./programs.ts";
import { numberOf, type ScalarLike } from "./scalar.ts";
import type { BlockRange, Command } from "./stream.ts";

/**
 * What one kernel may weigh: longer ones only take longer to compile. A step that calls a function, such as an
 * exponential, weighs as much as CALL sums, one that draws as DRAW.
 */
const HEAVIEST = { captured: 256, eager: 32 } as const;
const CALL = 8;
const DRAW = 16;

/** Times an eager run is met before a kernel is compiled for it: most sequences of ops never come again. */
const EAGER_AFTER = 4;

/** For each command, how many later ones touch the array it writes before that is free again: see usesOf. */
type Uses = ReadonlyMap<Command, number>;

/**
 * Runs neighbouring lanewise kernels over equally many elements as one: fewer dispatches, the same results. An array
 * that no command outside of the run will read is not written.
 */
export class LanewiseFusion {
  readonly #programs: ProgramCache;
  readonly #maxArrays: number;
  /** How often each run was met. */
  readonly #met = new Map<string, number>();

  constructor(programs: ProgramCache, maxArrays: number) {
    this.#programs = programs;
    this.#maxArrays = maxArrays;
  }

  /** For a step that will be replayed. */
  captured(commands: readonly Command[], uses: Uses): Command[] {
    return this.#fuse(commands, uses, HEAVIEST.captured, (run) => fused(run, run.key(), this.#programs));
  }

  /** For commands that run once, in the order in which they came. */
  eager(commands: readonly Command[], uses: Uses): Command[] {
    return this.#fuse(commands, uses, HEAVIEST.eager, (run) => {
      const key = run.key();
      const times = (this.#met.get(key) ?? 0) + 1;
      this.#met.set(key, times);
      return times < EAGER_AFTER ? undefined : fused(run, key, this.#programs);
    });
  }

  #fuse(
    commands: readonly Command[],
    uses: Uses,
    heaviest: number,
    join: (run: Run) => Command | undefined,
  ): Command[] {
    const out: Command[] = [];
    let run = new Run(uses);
    const close = () => {
      const one = run.commands.length > 1 ? join(run) : undefined;
      if (one) out.push(one);
      else out.push(...run.commands);
      if (run.commands.length > 0) run = new Run(uses);
    };
    for (const command of commands) {
      if (!isLanewise(command)) {
        close();
        out.push(command);
        continue;
      }
      if (run.add(command, heaviest, this.#maxArrays)) continue;
      close();
      run.add(command, heaviest, this.#maxArrays);
    }
    close();
    return out;
  }
}

/** What a program's commands are to a run. */
interface Part {
  /** The same for programs of one kernel and variant, on whatever engine. */
  readonly id: number;
  readonly lanewise: Lanewise;
  readonly weight: number;
  /** Places of the parameters it brings. */
  readonly own: readonly number[];
  readonly count: readonly number[];
  /** Of what tells draws where a sample ends. */
  readonly sampleSize: number | undefined;
}

const parts = new WeakMap<Program, Part | "none">();
const ids = new WeakMap<Kernel, Map<string, number>>();
let lastId = 0;

function partOf(program: Program): Part | undefined {
  let part = parts.get(program);
  if (part === undefined) parts.set(program, (part = madePart(program) ?? "none"));
  return part === "none" ? undefined : part;
}

function madePart({ kernel, variant, label }: Program): Part | undefined {
  const lanewise = kernel.lanewise?.(variant);
  if (!lanewise) return undefined;
  const names = Object.keys(kernel.params);
  const { expression, draw } = lanewise;
  const known = ids.get(kernel) ?? new Map<string, number>();
  if (!ids.has(kernel)) ids.set(kernel, known);
  if (!known.has(label)) known.set(label, lastId++);
  return {
    id: known.get(label)!,
    lanewise,
    weight: (draw ? DRAW : 0) + (/_\(|logistic\(/.test(expression) ? CALL : 1),
    own: ownParams(kernel, lanewise).map((name) => names.indexOf(name)),
    count: names.flatMap((name, i) => (["count", "samples", "sampleSize"].includes(name) ? [i] : [])),
    sampleSize: draw ? names.indexOf("sampleSize") : undefined,
  };
}

function isLanewise({ program, ranges }: Command): boolean {
  if (partOf(program) === undefined) return false;
  for (const { offset } of ranges) if (offset !== 0) return false;
  return true;
}

/** The elements that a lanewise command walks. */
function countOf({ program, params }: Command): number {
  let count = 1;
  for (const i of partOf(program)!.count) count *= numberOf(params[i]!);
  return count;
}

const sampleSizeOf = ({ program, params }: Command): ScalarLike | undefined => {
  const { sampleSize } = partOf(program)!;
  return sampleSize === undefined ? undefined : params[sampleSize];
};

/** An array of a run. */
interface Held {
  /** Its place among the run's arrays. */
  readonly place: number;
  readonly range: BlockRange;
  readonly read: boolean;
  readonly written: boolean;
  readonly half: boolean;
  /** Commands that have yet to touch what it holds now, before that is free; undefined if it never will be. */
  readonly left: number | undefined;
  /** No command ever will: it was asked for alone, to be timed perhaps, and has to come about. */
  readonly unread: boolean;
}

const isStored = ({ written, left, unread }: Held): boolean => written && (unread || left !== 0);
const isBound = (held: Held | undefined): boolean => held !== undefined && (held.read || isStored(held));

/** Lanewise commands in a row over equally many elements, and which of their arrays have to be in memory. */
class Run {
  readonly commands: Command[] = [];
  readonly arrays = new Map<Block, Held>();
  /** Of those that draw. */
  sampleSize: ScalarLike | undefined;
  readonly #uses: Uses;
  #weight = 0;
  #words = 2;
  #bound = 0;

  constructor(uses: Uses) {
    this.#uses = uses;
  }

  /** Takes a command in, the first always; false where it cannot go on with that one. */
  add(next: Command, heaviest: number, maxArrays: number): boolean {
    const [first] = this.commands;
    const part = partOf(next.program)!;
    const weight = this.#weight + part.weight;
    const words = this.#words + part.own.length;
    const sampleSize = this.sampleSize ?? sampleSizeOf(next);
    if (first) {
      const isLike = countOf(first) === countOf(next) && sampleSize === (sampleSizeOf(next) ?? sampleSize);
      if (!(isLike && weight <= heaviest && words * 4 <= SLOT)) return false;
    }
    const after = this.#after(next);
    if (!after) return false;
    let bound = this.#bound;
    for (const [block, held] of after)
      bound += Number(isBound(held)) - Number(isBound(this.arrays.get(block)));
    if (first && bound > maxArrays) return false;
    for (const [block, held] of after) this.arrays.set(block, held);
    [this.#weight, this.#words, this.#bound, this.sampleSize] = [weight, words, bound, sampleSize];
    this.commands.push(next);
    return true;
  }

  /** What it is made of: each command's arrays by place among the run's, and which of those are in memory. */
  key(): string {
    let key = "";
    for (const { program, ranges } of this.commands) {
      key += partOf(program)!.id;
      for (const { block } of ranges) key += `:${this.arrays.get(block)!.place}`;
      key += ";";
    }
    for (const held of this.arrays.values()) key += (held.read ? 2 : 0) + (isStored(held) ? 1 : 0);
    return key;
  }

  /** The arrays that a command touches, as it would leave them; undefined where one must not be changed. */
  #after(next: Command): Map<Block, Held> | undefined {
    const { program, ranges } = next;
    const { inPlace = false } = partOf(program)!.lanewise;
    const after = new Map<Block, Held>();
    let place = this.arrays.size;
    for (let k = 0; k < ranges.length; k++) {
      const { block } = ranges[k]!;
      const before = after.get(block) ?? this.arrays.get(block);
      const half = program.halves.length > 0 && program.halves.includes(program.bindings[k]!);
      const isOutput = k === ranges.length - 1;
      if (before && (before.half !== half || (isOutput && before.unread))) return undefined;
      if (after.has(block)) continue; // an input twice
      const uses = isOutput ? this.#uses.get(next) : undefined;
      after.set(block, {
        place: before?.place ?? place++,
        range: ranges[k]!,
        read: before?.read ?? (!isOutput || inPlace),
        written: isOutput || before?.written === true,
        half,
        left: isOutput ? uses : before?.left && before.left - 1,
        unread: uses === 0,
      });
    }
    return after;
  }
}

/** Fused kernels by key, so that a second capture of a step compiles nothing. */
const known = new Map<string, Kernel>();

function fused(run: Run, key: string, programs: ProgramCache): Command {
  const { commands, arrays } = run;
  let kernel = known.get(key);
  if (!kernel) known.set(key, (kernel = kernelOf(run)));
  const ranges: BlockRange[] = [];
  const halves: string[] = [];
  for (const held of arrays.values()) {
    if (!isBound(held)) continue;
    ranges.push(held.range);
    if (held.half) halves.push(`t${held.place}`);
  }
  const count = countOf(commands[0]!);
  const params: ScalarLike[] = run.sampleSize === undefined ? [count] : [count, run.sampleSize];
  for (const c of commands) for (const i of partOf(c.program)!.own) params.push(c.params[i]!);
  const program = programs.find(kernel, {}, halves);
  return { program, ranges, params, groups: kernel.dispatch({ count }, {}) };
}

/** vec4s of a thread of a lanewise kernel. */
const vecsOf = ({ vecs, run }: Variant): number => (vecs ?? run) as number;

function kernelOf({ commands, arrays }: Run): Kernel {
  const steps = commands.map(
    ({ program, ranges }): FusedStep => ({
      kernel: program.kernel,
      lanewise: partOf(program)!.lanewise,
      arrays: ranges.map((r) => arrays.get(r.block)!.place),
    }),
  );
  const kept = [...arrays.values()].map(
    (held): FusedArray => ({ read: held.read, stored: isStored(held), half: held.half }),
  );
  return fuse(steps, kept, vecsOf(commands[0]!.program.variant));
}
