import type { Hoisted } from "./hoist.ts";
import { KeptCommands } from "./kept-commands.ts";
import type { Command, CommandStream } from "./stream.ts";

interface Bound extends Hoisted {
  readonly groups: readonly GPUBindGroup[];
}

/** The arrays that moved out of a captured step. */
export class HoistedArrays {
  readonly #arrays: readonly Bound[];
  readonly #stream: CommandStream;
  readonly #kept: KeptCommands;

  constructor(device: GPUDevice, stream: CommandStream, arrays: readonly Hoisted[]) {
    this.#stream = stream;
    this.#kept = new KeptCommands(
      device,
      stream,
      arrays.flatMap((a) => a.commands),
    );
    let at = 0;
    this.#arrays = arrays.map((a) => ({
      ...a,
      groups: this.#kept.groups.slice(at, (at += a.commands.length)),
    }));
  }

  /** Makes those anew that are made of something written since, at first all. */
  renew(): void {
    const commands: Command[] = [];
    const groups: GPUBindGroup[] = [];
    for (const a of this.#arrays) {
      const { blocks, reads } = a;
      const made = Math.min(...blocks.map(({ written }) => written));
      if (made > 0 && reads.every(({ written }) => written < made)) continue;
      for (const block of blocks) this.#stream.wrote(block);
      commands.push(...a.commands);
      groups.push(...a.groups);
    }
    if (commands.length > 0) this.#stream.replay(commands, groups);
  }

  /** See KeptCommands. */
  destroy(): void {
    this.#kept.destroy();
  }
}
