import { DeviceError } from "./errors.ts";
import type { ParamArena } from "./param-arena.ts";
import { SLOT } from "./programs.ts";
import type { Command } from "./stream.ts";

/** Groups kept for commands that come again. */
export const KEPT = 8192;
/** Groups that may have been dropped since garbage was last collected. */
const DROPPED = 4096;

/** Mappings that are left to shaders, buffers and everything else. */
const OTHERS = 8192;

/** A bind group and the slot of its parameters. */
interface Bound {
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
 * mapping until then, and Linux ends a process of more than 65,530. So where `collect` is given, it is called in good time;
 * what it finds goes when the host waits next.
 */
export class BindGroups {
  readonly #device: GPUDevice;
  readonly #params: ParamArena;
  readonly #collect: (() => void) | undefined;
  readonly #alike = new Map<string, Alike>();
  readonly #most: number;
  #submit = 0;
  #made = 0;
  #dropped = 0;
  /** Collected since the host waited last. */
  #going = 0;
  /** Made for others to keep. */
  #lent = 0;

  /** `params` has a slot for each group that may be kept at once; `mappings`: what the process may have, if each is one. */
  constructor(device: GPUDevice, params: ParamArena, collect?: () => void, mappings = Infinity) {
    this.#device = device;
    this.#params = params;
    this.#collect = collect;
    this.#most = mappings - OTHERS;
  }

  /**
   * To be called before the groups of a submit are asked for, which are `count` at most: no slot is taken twice in it. Throws
   * DeviceError where the process would have more mappings than it may, of which it would end.
   */
  begin(count: number): void {
    this.#submit++;
    if (this.#made + count > this.#params.slots) this.forget();
    if (this.#dropped >= DROPPED) {
      this.#collect?.();
      this.#going += this.#dropped;
      this.#dropped = 0;
    }
    this.#require(count);
  }

  /** Groups for others to keep, of parameters of their own. Throws as `begin`. */
  lend(commands: readonly Command[], params: ParamArena, slots: readonly number[]): GPUBindGroup[] {
    this.#require(commands.length);
    this.#lent += commands.length;
    return commands.map((c, i) => bindGroup(this.#device, c, params, slots[i]!));
  }

  /** To be called when the host has waited for the device: what was collected before is gone. */
  waited(): void {
    this.#going = 0;
  }

  #require(count: number): void {
    const there = this.#made + this.#dropped + this.#going + this.#lent;
    if (there + count <= this.#most) return;
    throw new DeviceError(
      `launch: got more than ${there} launches without a wait, each a memory mapping on a software driver, expected at ` +
        `most ${this.#most} here; take fewer at once (of score matching, ssm-vr or dsm), or as root: ` +
        "sysctl vm.max_map_count=1048576",
    );
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

  /** Drops all, and takes note of so many lent ones that others dropped. */
  forget(others = 0): void {
    this.#lent -= others;
    this.#dropped += this.#made + others;
    this.#made = 0;
    this.#alike.clear();
  }
}

/** A group that reads its parameters from that slot. */
function bindGroup(
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
