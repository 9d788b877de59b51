import { ParamArena } from "./param-arena.ts";
import { type Command, type CommandStream, isDynamic } from "./stream.ts";

/** Commands that come again, with parameters and bind groups of their own. */
export class KeptCommands {
  readonly commands: readonly Command[];
  readonly groups: readonly GPUBindGroup[];
  readonly #stream: CommandStream;
  readonly #params: ParamArena;
  /** Commands whose parameters change. */
  readonly #dynamic: readonly Command[];

  /** Throws DeviceError as `CommandStream.bindGroups`. */
  constructor(device: GPUDevice, stream: CommandStream, commands: readonly Command[]) {
    this.commands = commands;
    this.#stream = stream;
    this.#dynamic = commands.filter(isDynamic);
    // Their slots come first, so that they are sent in one piece.
    let [first, other] = [0, this.#dynamic.length];
    const slots = commands.map((c) => (isDynamic(c) ? first++ : other++));
    this.#params = new ParamArena(device, Math.max(1, commands.length));
    commands.forEach((c, i) => {
      this.#params.set(slots[i]!, c);
    });
    this.#params.upload();
    try {
      this.groups = stream.bindGroups(commands, this.#params, slots);
    } catch (error) {
      this.#params.destroy();
      throw error;
    }
  }

  /** Reads every Scalar anew, for the submits to come. */
  renew(): void {
    this.#dynamic.forEach((c, slot) => {
      this.#params.set(slot, c);
    });
    this.#params.upload();
  }

  /** To be called after the buffers that the commands name were given back. Once. */
  destroy(): void {
    this.#params.destroy();
    this.#stream.forgetBindGroups(this.groups.length);
  }
}
