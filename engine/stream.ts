import type { Groups } from "../kernels/kernel.ts";
import { BindGroups } from "./bind-groups.ts";
import type { Block } from "./buffers.ts";
import type { LanewiseFusion } from "./fusion.ts";
import { Releases, usesOf } from "./lifetimes.ts";
import { type Program, type ProgramCache, SLOT } from "./programs.ts";
import { numberOf, Scalar, type ScalarLike } from "./scalar.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** Part of a block, for tensors larger than one binding may be. Offset and size in bytes. */
export interface BlockRange {
  readonly block: Block;
  readonly offset: number;
  readonly size: number;
}

/** One dispatch with everything resolved. */
export interface Command {
  readonly program: Program;
  readonly ranges: readonly BlockRange[];
  readonly params: readonly ScalarLike[];
  readonly groups: Groups;
}

/** Commands after which a submit goes out, so that the device works while the host still encodes. */
const FLUSH_AFTER = 256;

/**
 * Collects dispatches into few submits of one pass each, neighbouring lanewise kernels that were met before as one.
 * Bind groups are cached, parameters live in one uniform buffer.
 */
export class CommandStream {
  readonly #device: GPUDevice;
  readonly #programs: ProgramCache;
  readonly #params: ParamArena;
  readonly #bindGroups: BindGroups;
  readonly #fusion: LanewiseFusion;
  #pending: Command[] = [];
  /** Of blocks that pending commands touch. */
  readonly #releases = new Releases();
  /** Counts submits. */
  serial = 0;
  /** Dispatches sent so far. */
  dispatches = 0;
  /** Times the passes that are sent while it is set. */
  stopwatch: Stopwatch | undefined;

  /** `collect`: where the platform gives it, see BindGroups. */
  constructor(device: GPUDevice, programs: ProgramCache, fusion: LanewiseFusion, collect?: () => void) {
    this.#device = device;
    this.#bindGroups = new BindGroups(device, collect);
    this.#programs = programs;
    this.#fusion = fusion;
    this.#params = new ParamArena(device, FLUSH_AFTER);
  }

  dispatch(command: Command): void {
    if (this.#pending.length === FLUSH_AFTER) this.flush();
    this.#pending.push({ ...command, params: command.params.map(numberOf) });
    for (const { block } of command.ranges) block.serial = this.serial;
  }

  /** Tells that a block came back to its pool: nobody reads what pending commands leave there. */
  released(block: Block): void {
    if (block.serial === this.serial) this.#releases.add(block, this.#pending.length);
  }

  encode(pass: GPUComputePassEncoder, command: Command, group: GPUBindGroup, slot: number): void {
    pass.setPipeline(this.#programs.pipeline(command.program));
    pass.setBindGroup(0, group, [slot * SLOT]);
    pass.dispatchWorkgroups(...command.groups);
    this.dispatches++;
  }

  bindGroup(command: Command, params: ParamArena): GPUBindGroup {
    return this.#bindGroups.of(command, params);
  }

  /** Submits what is pending. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const commands = this.#fusion.eager(this.#pending, usesOf(this.#pending, this.#releases));
    this.#pending = [];
    this.#releases.clear();
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass(this.stopwatch?.pass());
    commands.forEach((c, slot) => {
      this.#params.set(slot, c);
      this.encode(pass, c, this.bindGroup(c, this.#params), slot);
    });
    pass.end();
    this.#params.upload(0, commands.length);
    this.#device.queue.submit([encoder.finish()]);
    this.serial++;
  }

  /** Host data into a block, after every dispatch that uses it now. */
  write(block: Block, data: ArrayBufferView<ArrayBuffer>): void {
    if (block.serial === this.serial) this.flush();
    const whole = data.byteLength - (data.byteLength % 4);
    this.#device.queue.writeBuffer(block.buffer, 0, data.buffer, data.byteOffset, whole);
  }

  /** Submits what is pending and, after it, a copy of the block's first bytes into `target`. */
  copyOut(block: Block, target: GPUBuffer, bytes: number): void {
    this.flush();
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(block.buffer, 0, target, 0, bytes);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Bind groups name buffers: call after buffers were destroyed. */
  forgetBindGroups(): void {
    this.#bindGroups.forget();
  }
}

/** Parameter slots of one uniform buffer with their host copy. */
export class ParamArena {
  static #nextId = 1;
  readonly id = ParamArena.#nextId++;
  readonly buffer: GPUBuffer;
  readonly #device: GPUDevice;
  readonly #bytes: ArrayBuffer;
  readonly #view: DataView;

  constructor(device: GPUDevice, slots: number) {
    this.#device = device;
    this.#bytes = new ArrayBuffer(slots * SLOT);
    this.#view = new DataView(this.#bytes);
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    this.buffer = device.createBuffer({ label: "params", size: slots * SLOT, usage });
  }

  set(slot: number, { program, params }: Command): void {
    let at = slot * SLOT;
    let i = 0;
    for (const name in program.kernel.params) {
      const value = numberOf(params[i++]!);
      const type = program.kernel.params[name];
      if (type === "f32") this.#view.setFloat32(at, value, true);
      else if (type === "u32") this.#view.setUint32(at, value, true);
      else this.#view.setInt32(at, value, true);
      at += 4;
    }
  }

  upload(slot: number, count: number): void {
    this.#device.queue.writeBuffer(this.buffer, slot * SLOT, this.#bytes, slot * SLOT, count * SLOT);
  }

  destroy(): void {
    this.buffer.destroy();
  }
}

export const isDynamic = (command: Command): boolean => command.params.some((p) => p instanceof Scalar);
