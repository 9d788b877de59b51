import type { Hoisted } from "./hoist.ts";
import { ParamArena } from "./param-arena.ts";
import type { Command, CommandStream } from "./stream.ts";

interface Bound extends Hoisted {
  readonly groups: readonly GPUBindGroup[];
}

/** The arrays that moved out of a captured step. */
export class HoistedArrays {
  readonly #arrays: readonly Bound[];
  readonly #stream: CommandStream;
  readonly #params: ParamArena;

  constructor(device: GPUDevice, stream: CommandStream, arrays: readonly Hoisted[]) {
    this.#stream = stream;
    const commands = arrays.flatMap((a) => a.commands);
    this.#params = new ParamArena(device, Math.max(1, commands.length));
    commands.forEach((c, slot) => {
      this.#params.set(slot, c);
    });
    this.#params.upload();
    let slot = 0;
    this.#arrays = arrays.map((a) => {
      const slots = a.commands.map(() => slot++);
      return { ...a, groups: stream.bindGroups(a.commands, this.#params, slots) };
    });
  }

  /** How many commands make them. */
  get size(): number {
    return this.#arrays.reduce((total, { commands }) => total + commands.length, 0);
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

  destroy(): void {
    this.#params.destroy();
  }
}
