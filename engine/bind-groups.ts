import type { ParamArena } from "./param-arena.ts";
import { SLOT } from "./programs.ts";
import type { Command } from "./stream.ts";

/** Groups kept for commands that come again. */
export const KEPT = 8192;
/** Groups that may have been dropped since garbage was last collected. */
const DROPPED = 4096;

/** A bind group and the slot of its parameters. */
export interface Bound {
  readonly group: GPUBindGroup;
  readonly slot: number;
}

/** The groups for commands on the same arrays; a submit in which they come twice takes two. */
interface Alike {
  readonly bound: Bound[];
  /** The submit that used them last, and how many of them. */
  submit: number;
  used: number;
}

/**
 * Bind groups by what they bind, each made once, with a parameter slot of its own: so a dispatch tells its group alone,
 * where an offset into one for all would have to be handed over with it. WebGPU has no way to give a group back: its native
 * part goes once the garbage collector has found its handle, which is too small to hurry for. On lavapipe each holds a
 * mapping until then, and Linux ends a process of more than 65,530. So where `collect` is given, it is called in good time.
 */
export class BindGroups {
  readonly #device: GPUDevice;
  readonly #params: ParamArena;
  readonly #collect: (() => void) | undefined;
  readonly #alike = new Map<string, Alike>();
  #submit = 0;
  #made = 0;
  #dropped = 0;

  /** `params` has a slot for each group that may be kept at once. */
  constructor(device: GPUDevice, params: ParamArena, collect?: () => void) {
    this.#device = device;
    this.#params = params;
    this.#collect = collect;
  }

  /** To be called before the groups of a submit are asked for, which are `count` at most: no slot is taken twice in it. */
  begin(count: number): void {
    this.#submit++;
    if (this.#made + count > this.#params.slots) this.forget();
    if (this.#dropped < DROPPED) return;
    this.#dropped = 0;
    this.#collect?.();
  }

  of(command: Command): Bound {
    const key = keyOf(command);
    let alike = this.#alike.get(key);
    if (!alike) this.#alike.set(key, (alike = { bound: [], submit: 0, used: 0 }));
    if (alike.submit !== this.#submit) {
      alike.submit = this.#submit;
      alike.used = 0;
    }
    const i = alike.used++;
    if (i === alike.bound.length) {
      const slot = this.#made++;
      alike.bound.push({ group: bindGroup(this.#device, command, this.#params, slot), slot });
    }
    return alike.bound[i]!;
  }

  /** Drops all, and takes note of so many that others dropped. */
  forget(others = 0): void {
    this.#dropped += this.#made + others;
    this.#made = 0;
    this.#alike.clear();
  }
}

/** A group that reads its parameters from that slot. */
export function bindGroup(
  device: GPUDevice,
  { program, ranges }: Command,
  params: ParamArena,
  slot: number,
): GPUBindGroup {
  const entries: GPUBindGroupEntry[] = ranges.map(({ block, offset, size }, binding) => ({
    binding,
    resource: { buffer: block.buffer, offset, size },
  }));
  const resource = { buffer: params.buffer, offset: slot * SLOT, size: SLOT };
  entries.push({ binding: ranges.length, resource });
  return device.createBindGroup({ layout: program.layout.bindGroup, entries });
}

function keyOf({ program, ranges }: Command): string {
  let key = program.layout.key;
  for (const { block, offset, size } of ranges) {
    key += `,${block.id}`;
    if (offset !== 0 || size !== block.bytes) key += `:${offset}:${size}`;
  }
  return key;
}
