import type { Block } from "./buffers.ts";
import type { Command } from "./stream.ts";

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
    const seen = touches.get(command.ranges.at(-1)!.block);
    if (seen !== undefined) uses.set(command, seen);
    for (const block of blocksOf(command)) {
      const before = touches.get(block);
      if (before !== undefined) touches.set(block, before + 1);
    }
  }
  return uses;
}

/** The blocks a command touches, each once. */
export const blocksOf = ({ ranges }: Command): Set<Block> => new Set(ranges.map((r) => r.block));
