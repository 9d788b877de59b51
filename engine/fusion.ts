import type { Kernel, Variant } from "../kernels/kernel.ts";
import { type FusedStep, fuse, type Lanewise } from "../kernels/lanewise.ts";
import type { Block } from "./buffers.ts";
import { type ProgramCache, SLOT } from "./programs.ts";
import type { ScalarLike } from "./scalar.ts";
import type { Command } from "./stream.ts";

/** Kernels in one: more would only lengthen compilation. */
const LONGEST = 16;

type LanewiseKernel = Kernel & { readonly lanewise: (v: Variant) => Lanewise };

/** Times an eager run is met before a kernel is compiled for it: most sequences of ops never come again. */
const EAGER_AFTER = 4;

/**
 * Runs neighbouring lanewise kernels over equally many elements as one: fewer dispatches, the same results. Every
 * array is still written, for later kernels may read it.
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
  captured(commands: readonly Command[]): Command[] {
    return this.#fuse(commands, (run) => fused(run, this.#programs));
  }

  /** For commands that run once, in the order in which they came. */
  eager(commands: readonly Command[]): Command[] {
    return this.#fuse(commands, (run) => {
      const key = keyOf(run);
      const times = (this.#met.get(key) ?? 0) + 1;
      this.#met.set(key, times);
      return times < EAGER_AFTER ? undefined : fused(run, this.#programs);
    });
  }

  #fuse(commands: readonly Command[], join: (run: readonly Command[]) => Command | undefined): Command[] {
    const out: Command[] = [];
    let run: Command[] = [];
    const close = () => {
      const one = run.length > 1 ? join(run) : undefined;
      if (one) out.push(one);
      else out.push(...run);
      run = [];
    };
    for (const command of commands) {
      if (!isLanewise(command)) {
        close();
        out.push(command);
        continue;
      }
      if (run.length > 0 && !fits(run, command, this.#maxArrays)) close();
      run.push(command);
    }
    close();
    return out;
  }
}

const isLanewise = ({ program, ranges }: Command): boolean =>
  "lanewise" in program.kernel && ranges.every((r) => r.offset === 0);

/** Parameters of a lanewise command: the count comes first. */
const countOf = ({ params }: Command): ScalarLike => params[0]!;

function fits(run: readonly Command[], next: Command, maxArrays: number): boolean {
  const all = [...run, next];
  const words = 1 + all.reduce((n, c) => n + c.params.length - 1, 0);
  return (
    run.length < LONGEST &&
    countOf(run[0]!) === countOf(next) &&
    run[0]!.program.variant["vecs"] === next.program.variant["vecs"] &&
    words * 4 <= SLOT &&
    arraysOf(all).length <= maxArrays
  );
}

const arraysOf = (run: readonly Command[]): Block[] => [
  ...new Set(run.flatMap((c) => c.ranges.map((r) => r.block))),
];

/** What a fused kernel is made of; each command's arrays by place among the run's. */
function keyOf(run: readonly Command[]): string {
  const blocks = arraysOf(run);
  const steps = run.map((c) => `${c.program.label}:${c.ranges.map((r) => blocks.indexOf(r.block))}`);
  return steps.join(";");
}

/** Fused kernels by key, so that a second capture of a step compiles nothing. */
const known = new Map<string, Kernel>();

function fused(run: readonly Command[], programs: ProgramCache): Command {
  const blocks = arraysOf(run);
  const key = keyOf(run);
  let kernel = known.get(key);
  if (!kernel) known.set(key, (kernel = kernelOf(run, blocks)));
  return {
    program: programs.find(kernel, {}, halvesOf(run, blocks)),
    ranges: blocks.map((block) => run.flatMap((c) => c.ranges).find((r) => r.block === block)!),
    params: [countOf(run[0]!), ...run.flatMap((c) => c.params.slice(1))],
    groups: run[0]!.groups,
  };
}

/** The fused kernel's names of the arrays that are stored as f16. */
function halvesOf(run: readonly Command[], blocks: readonly Block[]): string[] {
  const halves = new Set<Block>();
  for (const { program, ranges } of run) {
    const names = Object.keys(program.kernel.bindings(program.variant));
    ranges.forEach((r, i) => {
      if (program.halves.includes(names[i]!)) halves.add(r.block);
    });
  }
  return blocks.flatMap((b, a) => (halves.has(b) ? [`t${a}`] : []));
}

function kernelOf(run: readonly Command[], blocks: readonly Block[]): Kernel {
  const written = blocks.map((b) => run.some(({ ranges }) => ranges.at(-1)!.block === b));
  const steps = run.map(
    ({ program, ranges }): FusedStep => ({
      kernel: program.kernel as LanewiseKernel,
      variant: program.variant,
      arrays: ranges.map((r) => blocks.indexOf(r.block)),
    }),
  );
  return fuse(steps, written, run[0]!.program.variant["vecs"] as number);
}
