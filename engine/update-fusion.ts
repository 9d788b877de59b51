import { binaryBroadcast } from "../kernels/binary.ts";
import { convUpdate, type ScoreFactor } from "../kernels/conv-update.ts";
import { convRows } from "../kernels/conv2d.ts";
import type { Kernel } from "../kernels/kernel.ts";
import { linearUpdate } from "../kernels/linear-update.ts";
import type { Block } from "./buffers.ts";
import type { Releases } from "./lifetimes.ts";
import type { ProgramCache } from "./programs.ts";
import { numberOf, type ScalarLike } from "./scalar.ts";
import { type BlockRange, type Command, writtenBy } from "./stream.ts";

/*
 * A sampler knows a score, a network knows no sampler: that the one's update follows the other's last convolution is
 * seen in the recorded step. There convRows, a division or product by a number for each sample, and linearUpdate become
 * one kernel, and the score is nowhere in memory.
 */

/** The step with every update that can be in the kernel that ends its score. */
export function withFusedUpdates(
  commands: readonly Command[],
  releases: Releases,
  programs: ProgramCache,
): Command[] {
  const out: (Command | undefined)[] = [...commands];
  commands.forEach((update, i) => {
    const found = scoreOf(commands, i, releases);
    if (!found) return;
    for (const k of found.replaced) out[k] = undefined;
    out[i] = joined(found, update, programs);
  });
  return out.filter((c) => c !== undefined);
}

interface Score {
  readonly convolution: Command;
  readonly factor: ScoreFactor;
  readonly each: BlockRange | undefined;
  /** Places of the commands that the joined one stands for, beside the update's. */
  readonly replaced: readonly number[];
}

/** How the score of the update at place i was computed, if by a convolution that the update can end. */
function scoreOf(commands: readonly Command[], i: number, releases: Releases): Score | undefined {
  const update = commands[i]!;
  if (!is(update, linearUpdate) || update.program.variant["unit"] || update.program.halves.length > 0)
    return undefined;
  const last = makerOf(commands, i, range(update, "score").block, releases);
  if (last === undefined) return undefined;
  const factor = factorOf(commands[last]!, update);
  const place = factor ? makerOf(commands, last, range(commands[last]!, "x").block, releases) : last;
  if (place === undefined) return undefined;
  const convolution = commands[place]!;
  if (!endsAs(convolution, update)) return undefined;
  // Both will run later than they did: nothing they read may change meanwhile, and not the chain by its own hand.
  const chain = range(update, "x").block;
  const reads = convolution.ranges.slice(0, -1).map((r) => r.block);
  const changed = (from: number) =>
    commands.flatMap((c, k) => (k > from && k < i && k !== last ? writtenBy(c) : []));
  if (reads.some((block) => block === chain || changed(place).includes(block))) return undefined;
  if (factor?.each && changed(last).includes(factor.each.block)) return undefined;
  return factor
    ? { convolution, ...factor, replaced: [place, last] }
    : { convolution, factor: "none", each: undefined, replaced: [place] };
}

/** Who made what command i alone reads of a block; undefined if others read it, or it outlives the step. */
function makerOf(
  commands: readonly Command[],
  i: number,
  block: Block,
  releases: Releases,
): number | undefined {
  const until = releases.after(block, i);
  const made = commands.findLastIndex((c, k) => k < i && writtenBy(c).includes(block));
  if (until === undefined || made < 0) return undefined;
  const touched = commands.slice(made + 1, until).filter((c) => c.ranges.some((r) => r.block === block));
  return touched.length === 1 ? made : undefined;
}

/** A number for each sample that a command divides or multiplies a score by. */
function factorOf(command: Command, update: Command): Pick<Score, "factor" | "each"> | undefined {
  if (!is(command, binaryBroadcast) || command.program.halves.length > 0) return undefined;
  const { op, rank, sx, sy } = command.program.variant;
  if ((op !== "div" && op !== "mul") || sx !== 1 || sy !== 0) return undefined;
  const p = params(command);
  const [samples, size] = [params(update)["samples"]!, params(update)["sampleSize"]!];
  const alone = rank === 1 && samples === 1 && p["d0"] === size;
  const rows = rank === 2 && p["d0"] === samples && p["d1"] === size && p["a0"] === size && p["b0"] === 1;
  return alone || rows ? { factor: op, each: range(command, "y") } : undefined;
}

/** Is a command a convolution whose sums are the update's score, in blocks of four? */
function endsAs(command: Command, update: Command): boolean {
  if (!is(command, convRows) || command.program.variant["residual"] || command.program.halves.length > 0)
    return false;
  const { n, co, oh, ow } = params(command) as Record<string, number>;
  const { samples, sampleSize } = params(update) as Record<string, number>;
  return ow! % 4 === 0 && n === samples && co! * oh! * ow! === sampleSize;
}

function joined({ convolution, factor, each }: Score, update: Command, programs: ProgramCache): Command {
  const { residual: _, ...tile } = convolution.program.variant;
  const variant = { ...tile, factor, draws: update.program.variant["draws"]! };
  const named: Record<string, ScalarLike> = { ...given(convolution), ...given(update) };
  return {
    program: programs.find(convUpdate as unknown as Kernel, variant),
    ranges: [...convolution.ranges.slice(0, -1), ...(each ? [each] : []), range(update, "x")],
    params: Object.keys(convUpdate.params).map((name) => named[name]!),
    groups: convolution.groups,
  };
}

const is = ({ program }: Command, kernel: unknown): boolean => program.kernel === kernel;

const bindings = ({ program }: Command) => Object.entries<string>(program.kernel.bindings(program.variant));

const range = (command: Command, name: string): BlockRange =>
  command.ranges[bindings(command).findIndex(([binding]) => binding === name)]!;

const given = ({ program, params }: Command): Record<string, ScalarLike> =>
  Object.fromEntries(Object.keys(program.kernel.params).map((name, i) => [name, params[i]!]));

const params = (command: Command): Record<string, number> =>
  Object.fromEntries(Object.entries(given(command)).map(([name, value]) => [name, numberOf(value)]));
