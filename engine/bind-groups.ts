import { SLOT } from "./programs.ts";
import type { Command, ParamArena } from "./stream.ts";

/** Groups kept for commands that come again. */
const KEPT = 8192;
/** Groups that may have been dropped since garbage was last collected. */
const DROPPED = 4096;

/**
 * Bind groups by what they bind, each made once. WebGPU has no way to give one back: its native part goes once the
 * garbage collector has found its handle, which is too small to hurry for. On lavapipe each holds a mapping until
 * then, and Linux ends a process of more than 65,530. So where `collect` is given, it is called in good time.
 */
export class BindGroups {
  readonly #device: GPUDevice;
  readonly #collect: (() => void) | undefined;
  readonly #groups = new Map<string, GPUBindGroup>();
  #dropped = 0;

  constructor(device: GPUDevice, collect?: () => void) {
    this.#device = device;
    this.#collect = collect;
  }

  of({ program, ranges }: Command, params: ParamArena): GPUBindGroup {
    let key = `${params.id}${program.layout.key}`;
    for (const r of ranges) key += `,${r.block.id}:${r.offset}:${r.size}`;
    let group = this.#groups.get(key);
    if (group) return group;
    this.#makeRoom();
    const entries: GPUBindGroupEntry[] = ranges.map(({ block, offset, size }, binding) => ({
      binding,
      resource: { buffer: block.buffer, offset, size },
    }));
    entries.push({ binding: ranges.length, resource: { buffer: params.buffer, size: SLOT } });
    group = this.#device.createBindGroup({ layout: program.layout.bindGroup, entries });
    this.#groups.set(key, group);
    return group;
  }

  forget(): void {
    this.#dropped += this.#groups.size;
    this.#groups.clear();
  }

  #makeRoom(): void {
    if (this.#groups.size >= KEPT) this.forget();
    if (this.#dropped < DROPPED) return;
    this.#dropped = 0;
    this.#collect?.();
  }
}
