import type { Block } from "./buffers.ts";
import type { BlockRange, Command } from "./stream.ts";

/** When blocks came back to their pool while commands were gathered: so many were there by then. */
export class Releases {
  readonly #times = new Map<Block, number[]>();

  add(block: Block, time: number): void {
    const times = this.#times.get(block);
    if (times) times.push(time);
    else this.#times.set(block, [time]);
  }

  /** The first after command i; undefined if the block was kept. */
  after(block: Block, i: number): number | undefined {
    return this.#times.get(block)?.find((time) => time > i);
  }

  clear(): void {
    this.#times.clear();
  }

  /** Blocks by the time at which they came back. */
  byTime(): Map<number, Block[]> {
    const out = new Map<number, Block[]>();
    for (const [block, times] of this.#times)
      for (const time of times) {
        const blocks = out.get(time);
        if (blocks) blocks.push(block);
        else out.set(time, [block]);
      }
    return out;
  }
}

/**
 * For each command whose last array is released again, how many later commands touch that array before: who has seen
 * them all may forget the values. What is not in the map outlives the commands.
 */
export function usesOf(commands: readonly Command[], releases: Releases): Map<Command, number> {
  const uses = new Map<Command, number>();
  const released = releases.byTime();
  if (released.size === 0) return uses;
  const touches = new Map<Block, number>();
  for (let i = commands.length; i > 0; i--) {
    for (const block of released.get(i) ?? []) touches.set(block, 0);
    const command = commands[i - 1]!;
    const { ranges } = command;
    const seen = touches.get(ranges[ranges.length - 1]!.block);
    if (seen !== undefined) uses.set(command, seen);
    for (let k = 0; k < ranges.length; k++) {
      const { block } = ranges[k]!;
      const before = touches.get(block);
      if (before !== undefined && isFirst(ranges, k)) touches.set(block, before + 1);
    }
  }
  return uses;
}

/** Whether a range's block is in none of those before it. */
function isFirst(ranges: readonly BlockRange[], k: number): boolean {
  for (let before = 0; before < k; before++) if (ranges[before]!.block === ranges[k]!.block) return false;
  return true;
}
