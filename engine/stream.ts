import type { Groups, Hardware } from "../kernels/kernel.ts";
import { BindGroups, KEPT } from "./bind-groups.ts";
import type { Block } from "./buffers.ts";
import type { LanewiseFusion } from "./fusion.ts";
import { Releases, usesOf } from "./lifetimes.ts";
import { Pace } from "./pace.ts";
import { ParamArena } from "./param-arena.ts";
import type { Program, ProgramCache } from "./programs.ts";
import { numberOf, type ScalarLike } from "./scalar.ts";
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

/**
 * Collects dispatches into few submits of one pass each, neighbouring lanewise kernels that were met before as one.
 * Bind groups are cached, parameters live in one uniform buffer, of which only what changed is sent.
 */
export class CommandStream {
  readonly #device: GPUDevice;
  readonly #programs: ProgramCache;
  readonly #params: ParamArena;
  readonly #bindGroups: BindGroups;
  readonly #fusion: LanewiseFusion;
  readonly #pace: Pace;
  #pending: Command[] = [];
  #writes = 0;
  /** Of blocks that pending commands touch. */
  readonly #releases = new Releases();
  /** Counts submits. */
  serial = 0;
  /** Dispatches sent so far. */
  dispatches = 0;
  /** Times the passes that are sent while it is set. */
  stopwatch: Stopwatch | undefined;

  /** `collect`, `mappings`: where the platform gives them, see BindGroups. */
  constructor(
    device: GPUDevice,
    programs: ProgramCache,
    fusion: LanewiseFusion,
    kind: Hardware["kind"],
    collect?: () => void,
    mappings?: number,
  ) {
    this.#device = device;
    this.#params = new ParamArena(device, KEPT);
    this.#bindGroups = new BindGroups(device, this.#params, collect, mappings);
    this.#programs = programs;
    this.#fusion = fusion;
    this.#pace = new Pace(kind);
  }

  /** How often a block was written so far, by commands and by the host. */
  get writes(): number {
    return this.#writes;
  }

  dispatch(command: Command): void {
    if (this.#pending.length >= this.#pace.most("eager")) this.flush();
    const { program, ranges, params, groups } = command;
    this.#pending.push(
      isDynamic(command) ? { program, ranges, params: params.map(numberOf), groups } : command,
    );
    for (let k = 0; k < ranges.length; k++) {
      const { block } = ranges[k]!;
      block.serial = this.serial;
      if (isWritten(command, k)) this.wrote(block);
    }
  }

  /** Notes that a block is about to hold something else. */
  wrote(block: Block): void {
    block.written = ++this.#writes;
  }

  /** Tells that a block came back to its pool: nobody reads what pending commands leave there. */
  released(block: Block): void {
    if (block.serial === this.serial) this.#releases.add(block, this.#pending.length);
  }

  /** Writes the commands from `from` up to `to` into a pass, each with its group. */
  encode(
    pass: GPUComputePassEncoder,
    commands: readonly Command[],
    bound: readonly GPUBindGroup[],
    from = 0,
    to = commands.length,
  ): void {
    let latest: GPUComputePipeline | undefined;
    for (let i = from; i < to; i++) {
      const { program, groups } = commands[i]!;
      const pipeline = program.pipeline ?? this.#programs.pipeline(program);
      if (pipeline !== latest) pass.setPipeline(pipeline);
      latest = pipeline;
      pass.setBindGroup(0, bound[i]!);
      // Every number that a binding has to take over costs: most dispatches are lines.
      if (groups[1] === 1 && groups[2] === 1) pass.dispatchWorkgroups(groups[0]);
      else pass.dispatchWorkgroups(groups[0], groups[1], groups[2]);
    }
    this.dispatches += Math.max(0, to - from);
  }

  /** For commands that come again by themselves: groups that the caller keeps. Throws DeviceError as `BindGroups.begin`. */
  bindGroups(commands: readonly Command[], params: ParamArena, slots: readonly number[]): GPUBindGroup[] {
    return this.#bindGroups.lend(commands, params, slots);
  }

  /** Submits what is pending. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const commands = this.#fusion.eager(this.#pending, usesOf(this.#pending, this.#releases));
    this.#pending = [];
    this.#releases.clear();
    this.#bindGroups.begin(commands.length);
    const groups: GPUBindGroup[] = [];
    for (const c of commands) {
      const { group, slot } = this.#bindGroups.of(c);
      this.#params.set(slot, c);
      groups.push(group);
    }
    this.#params.upload();
    this.#submit(commands, groups, 0, commands.length);
  }

  /** Submits commands that the caller keeps, with their groups, after what is pending. */
  replay(commands: readonly Command[], groups: readonly GPUBindGroup[]): void {
    this.flush();
    for (let from = 0; from < commands.length; ) {
      const to = Math.min(from + this.#pace.most("replayed"), commands.length);
      this.#submit(commands, groups, from, to);
      from = to;
    }
  }

  /** To be called when the host has waited for the device. */
  waited(): void {
    this.#pace.waited();
    this.#bindGroups.waited();
  }

  /** Host data into a block, after every dispatch that uses it now. */
  write(block: Block, data: ArrayBufferView<ArrayBuffer>): void {
    if (block.serial === this.serial) this.flush();
    this.wrote(block);
    const whole = data.byteLength - (data.byteLength % 4);
    this.#device.queue.writeBuffer(block.buffer, 0, data.buffer, data.byteOffset, whole);
  }

  /** Submits what is pending and, after it, copies of the blocks' first bytes, as many as the buffers hold. */
  copyOut(copies: readonly { readonly block: Block; readonly target: GPUBuffer }[]): void {
    this.flush();
    const encoder = this.#device.createCommandEncoder();
    for (const { block, target } of copies)
      encoder.copyBufferToBuffer(block.buffer, 0, target, 0, target.size);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** Bind groups name buffers: call after buffers were destroyed. `others`: how many that the caller kept. */
  forgetBindGroups(others = 0): void {
    this.#bindGroups.forget(others);
  }

  #submit(commands: readonly Command[], groups: readonly GPUBindGroup[], from: number, to: number): void {
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass(this.stopwatch?.pass());
    this.encode(pass, commands, groups, from, to);
    pass.end();
    this.#device.queue.submit([encoder.finish()]);
    this.#pace.sent();
    this.serial++;
  }
}

/** Whether a command writes its range k. */
export const isWritten = ({ program }: Command, k: number): boolean => program.layout.key[k] === "w";

export const writtenBy = (command: Command): Block[] =>
  command.ranges.flatMap(({ block }, k) => (isWritten(command, k) ? [block] : []));

export const blocksOf = (commands: readonly Command[]): Set<Block> =>
  new Set(commands.flatMap(({ ranges }) => ranges.map(({ block }) => block)));

/** Whether a replay has to read some of a command's parameters anew. */
export function isDynamic({ params }: Command): boolean {
  for (let i = 0; i < params.length; i++) if (typeof params[i] !== "number") return true;
  return false;
}
