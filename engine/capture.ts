import type { Block, BufferPool } from "./buffers.ts";
import { UsageError } from "./errors.ts";
import type { Replays } from "./graph.ts";
import type { Hoisted } from "./hoist.ts";
import { HoistedArrays } from "./hoisted.ts";
import { KeptCommands } from "./kept-commands.ts";
import { type Command, type CommandStream, writtenBy } from "./stream.ts";
import type { Tensor } from "./tensor.ts";

export interface CaptureOptions {
  /** Where a sampler's update follows the convolution that computes its score, they replay as one kernel. False unless told. */
  readonly fuseUpdates?: boolean;
  /**
   * What is computed of tensors that the step does not write, as packed weights are, replays compute again only after those were
   * written. It stays in memory: up to an eighth of the budget, or 512 MiB where that is not known. False unless told.
   */
  readonly hoist?: boolean;
  /** With `hoist`, tensors that are written before each replay: nothing made of them is worth keeping. */
  readonly inputs?: readonly Tensor[];
}

/** What a capture replays: its commands, and those of the arrays that moved out of the step. */
interface CapturedStep {
  readonly commands: readonly Command[];
  readonly hoisted?: readonly Hoisted[];
  readonly replays?: Replays;
}

/**
 * A step recorded once and replayed: the same dispatches on the same buffers, with every Scalar read anew.
 * WebGPU's command buffers are single use, so a replay encodes the resolved list again; no op, shape rule,
 * allocation or bind group is looked up.
 */
export class Capture<T> {
  /** What the captured function returned; its tensors hold the newest replay's values. */
  readonly result: T;
  readonly #device: GPUDevice;
  readonly #stream: CommandStream;
  readonly #pools: readonly BufferPool[];
  readonly #kept: KeptCommands;
  readonly #written: readonly Block[];
  readonly #replays: Replays;
  readonly #hoisted: HoistedArrays | undefined;
  /** Of the result what the step made; it may be views of what others own. */
  readonly #own: ReadonlySet<Tensor>;
  #disposed = false;

  constructor(
    device: GPUDevice,
    stream: CommandStream,
    pools: readonly BufferPool[],
    { commands, hoisted = [], replays = { at: 0 } }: CapturedStep,
    result: T,
    own: ReadonlySet<Tensor> = new Set(),
  ) {
    this.#device = device;
    this.#stream = stream;
    this.#pools = pools;
    this.#replays = replays;
    this.result = result;
    this.#own = own;
    this.#written = [...new Set(commands.flatMap(writtenBy))];
    if (hoisted.length > 0) this.#hoisted = new HoistedArrays(device, stream, hoisted);
    try {
      this.#kept = new KeptCommands(device, stream, commands);
    } catch (error) {
      this.#hoisted?.destroy();
      throw error;
    }
  }

  /** What every replay runs. */
  get commands(): readonly Command[] {
    return this.#kept.commands;
  }

  /** Runs the step again. Throws UsageError after `dispose`. */
  replay(): void {
    this.#begin();
    this.#stream.replay(this.commands, this.#kept.groups);
  }

  /** Runs the commands from `from` up to `to` with a pass each, `around` giving each pass its timestamps. */
  replayRange(from: number, to: number, around: (i: number) => GPUComputePassDescriptor): void {
    this.#begin();
    this.#stream.flush();
    const encoder = this.#device.createCommandEncoder();
    for (let i = from; i < to; i++) {
      const pass = encoder.beginComputePass(around(i));
      this.#stream.encode(pass, this.commands, this.#kept.groups, i, i + 1);
      pass.end();
    }
    this.#submit(encoder);
  }

  /** Runs only these commands, in one submit: for their time, for what they compute then means nothing. */
  replayOnly(indices: readonly number[]): void {
    this.#begin();
    this.#stream.flush();
    const encoder = this.#device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const i of indices) this.#stream.encode(pass, this.commands, this.#kept.groups, i, i + 1);
    pass.end();
    this.#submit(encoder);
  }

  /** Frees the step's own buffers. Its result's tensors are unusable afterwards. Twice is once. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const pool of this.#pools) pool.close("its capture was disposed; read or copy it before");
    for (const t of this.#own) t.dispose();
    this.#kept.destroy();
    this.#hoisted?.destroy();
  }

  #begin(): void {
    if (this.#disposed)
      throw new UsageError(
        "replay: got a capture that was disposed, expected one in use; capture the step again",
      );
    this.#hoisted?.renew();
    for (const block of this.#written) this.#stream.wrote(block);
    this.#replays.at = this.#stream.writes;
    this.#kept.renew();
  }

  #submit(encoder: GPUCommandEncoder): void {
    this.#device.queue.submit([encoder.finish()]);
    this.#stream.serial++;
  }
}
