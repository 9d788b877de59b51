import type { Kernel, Variant } from "../kernels/kernel.ts";
import { type FusedStep, fuse, type Lanewise } from "../kernels/lanewise.ts";
import type { Block } from "./buffers.ts";
import { type ProgramCache, SLOT } from "./programs.ts";
import type { ScalarLike } from "./scalar.ts";
import type { Command } from "./stream.ts";

/** Kernels in one: more would only lengthen compilation. */
const LONGEST = 16;

type LanewiseKernel = Kernel & { readonly lanewise: (v: Variant) => Lanewise };

/**
 * A captured step with neighbouring lanewise kernels over equally many elements run as one: fewer dispatches, the
 * same results. Every array is still written, for later kernels may read it.
 */
export function fuseLanewise(
  commands: readonly Command[],
  programs: ProgramCache,
  maxArrays: number,
): Command[] {
  const out: Command[] = [];
  let run: Command[] = [];
  const close = () => {
    out.push(...(run.length > 1 ? [fused(run, programs)] : run));
    run = [];
  };
  for (const command of commands) {
    if (!isLanewise(command)) {
      close();
      out.push(command);
      continue;
    }
    if (run.length > 0 && !fits(run, command, maxArrays)) close();
    run.push(command);
  }
  close();
  return out;
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

/** Fused kernels by what they are made of, so that a second capture of a step compiles nothing. */
const known = new Map<string, Kernel>();

function fused(run: readonly Command[], programs: ProgramCache): Command {
  const blocks = arraysOf(run);
  const written = blocks.map((b) => run.some(({ ranges }) => ranges.at(-1)!.block === b));
  const steps = run.map(
    ({ program, ranges }): FusedStep => ({
      kernel: program.kernel as LanewiseKernel,
      variant: program.variant,
      arrays: ranges.map((r) => blocks.indexOf(r.block)),
    }),
  );
  const vecs = run[0]!.program.variant["vecs"] as number;
  const key = JSON.stringify([vecs, written, steps.map((s) => [s.kernel.name, s.variant, s.arrays])]);
  let kernel = known.get(key);
  if (!kernel) known.set(key, (kernel = fuse(steps, written, vecs)));
  return {
    program: programs.find(kernel, {}),
    ranges: blocks.map((block) => run.flatMap((c) => c.ranges).find((r) => r.block === block)!),
    params: [countOf(run[0]!), ...run.flatMap((c) => c.params.slice(1))],
    groups: run[0]!.groups,
  };
}
