/// <reference lib="dom" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/// <reference types="@webgpu/types" preserve="true" />
import { fill } from "../kernels/fill.ts";
import type { Hardware, Kernel, Variant } from "../kernels/kernel.ts";
import { vecsPerThread } from "../kernels/lanewise.ts";
import { unary } from "../kernels/unary.ts";
import { type PrepareOptions, type TuneOptions, type Tuning, tune } from "./autotune.ts";
import type { BufferPool, MemoryReport } from "./buffers.ts";
import { Capture, type CaptureOptions } from "./capture.ts";
import type { Choices, Tunable } from "./choices.ts";
import type { Launch } from "./dry.ts";
import { invariant, UsageError } from "./errors.ts";
import { Faults } from "./faults.ts";
import { LanewiseFusion } from "./fusion.ts";
import { GraphNode, type Replays } from "./graph.ts";
import { describeHardware, largestBinding, largestBuffer } from "./hardware.ts";
import { type HoistedStep, hoist } from "./hoist.ts";
import { fromHost } from "./host-data.ts";
import { Launcher } from "./launcher.ts";
import { Releases, usesOf } from "./lifetimes.ts";
import { Memory } from "./memory.ts";
import { Modes } from "./modes.ts";
import type { OpEvent } from "./op.ts";
import { type EngineOptions, type Opened, open } from "./open.ts";
import { patiently } from "./patience.ts";
import type { TextCache } from "./platform/cache.ts";
import type { DriverReport, Poller } from "./platform/platform.ts";
import { type Program, ProgramCache } from "./programs.ts";
import { readBack } from "./read-back.ts";
import type { ScalarLike } from "./scalar.ts";
import { Scopes } from "./scopes.ts";
import { requireShape, shapeSize, showShape } from "./shapes.ts";
import { blocksOf, type Command, CommandStream } from "./stream.ts";
import { copyStrided } from "./strided.ts";
import {
  bytesOf,
  type Dtype,
  dtypeOf,
  type HostData,
  isFloat,
  type Shape,
  type Storage,
  Tensor,
} from "./tensor.ts";
import { tunedFor } from "./tuning-file.ts";
import { withFusedUpdates } from "./update-fusion.ts";
import { type VerifyOptions, type VerifyReport, verify } from "./verify.ts";

/** Engines by hand until they are destroyed: Dawn ends the process where the handles of a device that is not are collected. */
const undestroyed = new Set<Engine>();

/** A device with its memory, compiled kernels and command stream. Everything a tensor needs hangs on one. */
export class Engine {
  readonly device: GPUDevice;
  readonly driver: DriverReport;
  readonly hardware: Hardware;
  readonly programs: ProgramCache;
  readonly stream: CommandStream;
  /** Bytes of a tensor that a kernel can see at once. */
  readonly maxBinding: number;
  /** Told of every op while set. */
  observer: ((event: OpEvent) => void) | undefined;
  /** Ways that were measured to be the fastest on this adapter. */
  readonly choices: Choices;

  readonly #modes = new Modes();
  readonly #scopes = new Scopes();
  readonly #faults: Faults;
  readonly #fusion: LanewiseFusion;
  readonly #memory: Memory;
  readonly #launcher: Launcher;
  readonly #keepAlive: readonly unknown[];
  readonly #cache: TextCache;
  readonly #poller: Poller | undefined;
  readonly #poison: boolean;

  /**
   * Opens an adapter and a device. Throws UsageError for limits or features that it does not know, DeviceError with what
   * to install when there is no adapter.
   */
  static async create(options: EngineOptions = {}): Promise<Engine> {
    return new Engine(await open(options));
  }

  private constructor({ device, gpu, budget, limits, poison, choices, cache }: Opened) {
    const { adapter, driver, keepAlive, poller, collect, mappings, withoutDirective } = gpu;
    this.device = device;
    this.driver = driver;
    this.#keepAlive = [adapter, ...keepAlive];
    this.#poller = poller;
    this.#poison = poison;
    this.choices = choices;
    this.#cache = cache;
    const { maxStorageBuffersPerShaderStage } = device.limits;
    this.maxBinding = largestBinding(device, limits);
    this.hardware = describeHardware(device, adapter, driver, this.maxBinding);
    this.#faults = new Faults(device);
    this.programs = new ProgramCache(device, (error) => this.#faults.add(error), withoutDirective);
    this.#fusion = new LanewiseFusion(this.programs, maxStorageBuffersPerShaderStage);
    const { kind } = this.hardware;
    this.stream = new CommandStream(device, this.programs, this.#fusion, kind, collect, mappings);
    this.#memory = new Memory(device, this.stream, budget, largestBuffer(device, limits));
    this.#launcher = new Launcher(this, this.programs, this.stream, this.maxBinding);
    undestroyed.add(this);
  }

  // --- tensors ---

  /** Values from the host. Throws UsageError when their number does not fit the shape. */
  tensor(data: HostData | readonly number[], shape?: Shape, dtype?: Dtype): Tensor {
    const host = fromHost(data, dtype);
    const dims = shape ?? [host.length];
    requireShape("tensor", dims);
    if (shapeSize(dims) !== host.length)
      throw new UsageError(
        `tensor: got ${host.length} values for shape ${showShape(dims)}, expected ${shapeSize(dims)}`,
      );
    const t = this.#allocate(dims, dtypeOf("tensor", host), "host");
    this.upload(t.storage, host);
    return t;
  }

  /** Memory without a value. Every op's output starts here. Throws UsageError for a shape of other than whole lengths from 1. */
  empty(shape: Shape, dtype: Dtype = this.#modes.halving && isActivation(shape) ? "f16" : "f32"): Tensor {
    requireShape("empty", shape);
    const t = this.#allocate(shape, dtype);
    if (this.#poison) this.#fill(t, dtype === "f16" ? 0x7e007e00 : 0x7fc0dead);
    return t;
  }

  /** A tensor of one value. Throws UsageError for a shape of other than whole lengths from 1, and for f16. */
  full(shape: Shape, value: number, dtype: Dtype = "f32"): Tensor {
    requireShape("full", shape);
    const t = this.#allocate(shape, dtype);
    const bits = new Uint32Array(fromHost([value], dtype).buffer)[0]!;
    this.#fill(t, bits);
    return t;
  }

  /** A tensor of zeros. Throws as full does. */
  zeros(shape: Shape, dtype: Dtype = "f32"): Tensor {
    return this.full(shape, 0, dtype);
  }

  /** A tensor of ones. Throws as full does. */
  ones(shape: Shape, dtype: Dtype = "f32"): Tensor {
    return this.full(shape, 1, dtype);
  }

  /** A leaf of the graph that no scope disposes: a weight, or an input whose gradient is asked for. */
  variable(data: Float32Array<ArrayBuffer> | readonly number[], shape?: Shape): Tensor {
    return this.asVariable(this.tensor(data, shape, "f32"));
  }

  /** Makes a tensor a leaf that no scope disposes. */
  asVariable(t: Tensor): Tensor {
    this.untrack(t);
    t.node ??= new GraphNode(t.shape).retain();
    return t;
  }

  // --- lifetimes ---

  /**
   * Runs `fn` and disposes every tensor made in it, but for those it returns (alone, or in arrays and plain
   * objects), which pass to the scope around. Throws UsageError for an async function: its tensors would go too soon.
   */
  scope<T>(fn: () => T): T {
    return this.#scopes.run(fn);
  }

  /** Hands a tensor to the innermost scope. */
  track(t: Tensor): Tensor {
    this.#scopes.add(t);
    return t;
  }

  /** Takes a tensor out of the innermost scope: the caller disposes it. */
  untrack(t: Tensor): Tensor {
    this.#scopes.remove(t);
    return t;
  }

  /** Runs `fn` without recording a graph. Throws UsageError for an async function: the mode would end at its first await. */
  noGrad<T>(fn: () => T): T {
    return this.#modes.with("recording", false, fn);
  }

  /** `noGrad` that also tells which tensors that had a graph before the ops in `fn` read. */
  noGradReading<T>(fn: () => T): { result: T; read: readonly Tensor[] } {
    return this.#modes.reading(fn);
  }

  /** Where `noGradReading` keeps what ops read. */
  get graphReads(): Set<Tensor> | undefined {
    return this.#modes.graphReads;
  }

  /** Records the graph inside `fn` again, within a `noGrad` too. Throws UsageError as noGrad does. */
  withGrad<T>(fn: () => T): T {
    return this.#modes.with("recording", true, fn);
  }

  /** Names of the modules whose forward is running, outermost first. */
  get path(): string[] {
    return this.#modes.path;
  }

  /** Whether ops are recorded for a backward pass. */
  get recording(): boolean {
    return this.#modes.recording;
  }

  /** Whether a step is being recorded: see `capture`. */
  get capturing(): boolean {
    return this.#launcher.recording;
  }

  /** Of the step that is being recorded. */
  get replays(): Replays | undefined {
    return this.#launcher.replays;
  }

  /** Whether ops store their activations as f16: see `autocast`. */
  get autocasting(): boolean {
    return this.#modes.autocast;
  }

  /**
   * Mixed precision: inside `fn` ops store activations (values with more than one element for each sample and
   * channel) as f16. Everything is still computed and summed in f32; parameters, gradients, means and variances stay
   * f32. Micikevicius et al. 2018, without loss scaling, which gradients in f32 do not need. Gradients that
   * `grad` is asked for inside are f32 too. Throws UsageError where the adapter lacks shader-f16, and as noGrad does.
   */
  autocast<T>(fn: () => T, on = true): T {
    if (on && !this.device.features.has("shader-f16"))
      throw new UsageError("autocast: this adapter lacks shader-f16; train with precision: f32");
    return this.#modes.with("autocast", on, fn);
  }

  /** Runs an op's forward: under `autocast` what it allocates for activations is f16. */
  forward<T>(fn: () => T): T {
    const { autocast, halving } = this.#modes;
    if (autocast === halving) return this.scope(fn);
    return this.#modes.with("halving", autocast, () => this.scope(fn));
  }

  /** Runs `fn` as if inside these modules. */
  within<T>(path: readonly string[], fn: () => T): T {
    return this.#modes.within(path, fn);
  }

  /** Bytes that tensors hold, held at most, and left for reuse. */
  memory(): MemoryReport {
    return this.#memory.report();
  }

  /** From now on `memory().peak` is the most that tensors hold from here on. */
  resetPeak(): void {
    this.#memory.resetPeak();
  }

  /** Gives pooled buffers back to the driver. */
  trim(): void {
    this.#memory.trim();
  }

  // --- running kernels ---

  /**
   * Dispatches a kernel. Tensors by binding name, parameters by name.
   * Throws DeviceError when a tensor exceeds what one binding of this adapter may hold, UsageError for a tensor of another
   * engine.
   */
  launch<B extends string, P extends string, V extends Variant>(
    kernel: Kernel<B, P, V>,
    variant: NoInfer<V>,
    tensors: Record<NoInfer<B>, Tensor>,
    params: Record<NoInfer<P>, ScalarLike>,
  ): void {
    this.#launcher.launch(kernel as unknown as Kernel, variant, tensors, params);
  }

  /**
   * Dispatches a kernel that walks whole tensors side by side, in pieces where one binding cannot hold them.
   * The kernel's `count` and, where it has one, `start` (in elements) are set for each piece; tensors of other
   * sizes are bound whole to each.
   */
  launchLinear<B extends string, P extends string, V extends Variant>(
    kernel: Kernel<B, P, V>,
    variant: NoInfer<V>,
    tensors: Record<NoInfer<B>, Tensor>,
    params: Record<Exclude<NoInfer<P>, "count" | "start">, ScalarLike>,
    count: number,
  ): void {
    this.#launcher.launchLinear(kernel as unknown as Kernel, variant, tensors, params, count);
  }

  /**
   * Launches in `fn` compute together what mathematics asks so many operations for, and do with fewer: a walk is told of
   * those asked for, whatever the way.
   */
  standingFor<T>(flops: number, fn: () => T): T {
    return this.#launcher.standingFor(flops, fn);
  }

  /**
   * Runs a step once and records it for replay. Shapes are fixed; tensors made inside belong to the capture;
   * host numbers are fixed too, unless they are Scalars. Tensors made before and disposed later must outlive it.
   */
  capture<T>(fn: () => T, options: CaptureOptions = {}): Capture<T> {
    const { fuseUpdates = false, hoist: hoists = false, inputs = [] } = options;
    if (this.#launcher.recording) throw new UsageError("capture: already recording; captures do not nest");
    const recorded: Command[] = [];
    const releases = new Releases();
    const replays: Replays = { at: 0 };
    return this.#memory.apart(
      (block) => releases.add(block, recorded.length),
      (pools) => {
        const { result, own } = this.#launcher.record({ commands: recorded, replays }, () =>
          this.#scopes.runOwned(fn),
        );
        const step: HoistedStep = hoists
          ? this.#hoist(recorded, releases, pools[1], inputs)
          : { commands: recorded, moved: new Set(), hoisted: [] };
        const { moved, hoisted } = step;
        const updated = fuseUpdates
          ? withFusedUpdates(step.commands, releases, this.programs)
          : step.commands;
        const rest = updated.filter((c) => !moved.has(c));
        const commands = this.#fusion.captured(rest, usesOf(step.commands, releases));
        if (moved.size > 0) pools[0].trim(blocksOf(commands));
        return new Capture(this.device, this.stream, pools, { commands, hoisted, replays }, result, own);
      },
    );
  }

  /**
   * Compiles every kernel a step will use, in parallel, without running any: `fn` is walked through with
   * dispatches left out. Its results hold no values. With autotune on, `tune` comes first, with the options given.
   */
  async prepare(fn: () => unknown, { onProgress, tuning }: PrepareOptions = {}): Promise<void> {
    if (this.choices.mode === "on") await this.tune(fn, tuning);
    await this.#compile(fn, onProgress);
  }

  /**
   * Measures which of their ways computes the ops of a step the fastest, where that is not known yet: `fn` is walked
   * through, and each class of problems met is timed on random numbers. Each choice is kept as soon as it is made. From then
   * on, and in later runs on this adapter, those ways are taken. Throws UsageError with autotune off, and where the cache
   * cannot be written.
   */
  tune(fn: () => unknown, options?: TuneOptions): Promise<Tuning> {
    const context = {
      choices: this.choices,
      cache: this.#cache,
      tunedFor: tunedFor(this.device, this.driver),
      compile: (work: () => unknown) => this.#compile(work),
    };
    return tune(this, fn, context, options);
  }

  /** The way in which an op computes a problem. */
  choose<P, W extends Variant>(
    tunable: Tunable<P, W>,
    problem: P,
    inputs: readonly (Pick<Tensor, "shape" | "dtype"> | undefined)[],
  ): W {
    return this.choices.choose(this, tunable, problem, inputs);
  }

  async #compile(fn: () => unknown, onProgress?: (done: number, total: number) => void): Promise<void> {
    const programs = new Set<Program>();
    this.dry(fn, ({ program }) => programs.add(program));
    await this.programs.compile([...programs], onProgress);
    this.#faults.check();
  }

  /**
   * Walks through `fn` without the device: dispatches and uploads are left out, `onLaunch` is told of each dispatch, and
   * memory is counted but not taken, so that `memory` tells what `fn` would need. Shapes, graphs and complaints are as
   * in a run. Tensors made inside hold no values and are of no use outside of the walk.
   */
  dry<T>(fn: () => T, onLaunch?: (launch: Launch) => void): T {
    const take = (launch: Launch) => {
      const { program, tensors } = launch;
      for (const name in program.kernel.bindings(program.variant)) tensors[name]!.storage.take();
      onLaunch?.(launch);
    };
    return this.#memory.counted(() => this.#launcher.walk(take, () => this.scope(fn)));
  }

  // --- moving data ---

  /** Host values into a tensor's memory, after every use made of the old ones: `Tensor.write` without its checks. */
  upload(storage: Storage, data: HostData): void {
    if (this.#launcher.walking) storage.take();
    else this.stream.write(storage.block, data);
  }

  /** The values of a tensor on the host. */
  async read(t: Tensor): Promise<HostData> {
    return (await this.readAll([t]))[0]!;
  }

  /** The values of several tensors with one wait. */
  async readAll(tensors: readonly Tensor[]): Promise<HostData[]> {
    if (this.#launcher.recording || this.#launcher.walking)
      throw new UsageError("read: a captured step cannot wait for the device");
    const { device, stream } = this;
    return readBack({ device, stream, faults: this.#faults, wait: (p) => this.#wait(p) }, tensors);
  }

  /**
   * Copies a tensor's values into another of its size and type, or from f32 to f16 and back. Throws UsageError for others;
   * `cast` makes floats of integers.
   */
  copy(from: Tensor, to: Tensor): void {
    if (from.size !== to.size)
      throw new UsageError(
        `copy: got ${showShape(from.shape)} into ${showShape(to.shape)}, expected equal sizes`,
      );
    if (from.dtype !== to.dtype && !(isFloat(from) && isFloat(to)))
      throw new UsageError(
        `copy: got ${from.dtype} into ${to.dtype}, expected one type, or two of floats; cast it first`,
      );
    if (from.storage === to.storage) return;
    // Integers as bits: a float kernel might flush them to zero as subnormals.
    if (!isFloat(from)) copyStrided(this, from, to, [from.size], [1], [1], 0, 0);
    else
      this.launchLinear(
        unary,
        { op: "copy", vecs: vecsPerThread(this.hardware) },
        { x: from, y: to },
        { a: 0 },
        from.size,
      );
  }

  /** A copy of a tensor's values in memory of its own, without their history, that no scope disposes. */
  copyOf(t: Tensor): Tensor {
    const copy = this.untrack(this.empty(t.shape, t.dtype));
    this.copy(t, copy);
    return copy;
  }

  /** Waits until the device has done all that was asked. Throws DeviceError if any of it failed. */
  async sync(): Promise<void> {
    this.stream.flush();
    try {
      await this.#wait(this.device.queue.onSubmittedWorkDone());
    } catch (cause) {
      throw this.#faults.of("sync", cause);
    }
    this.#faults.check();
  }

  /** Runs a step beside the float64 oracle and names the first op that departs: see verify.ts. */
  verify(step: () => unknown, options?: VerifyOptions): Promise<VerifyReport> {
    return verify(this, step, options);
  }

  /**
   * Ends the device. Tensors are unusable afterwards, and waits that are pending reject with a DeviceError; the process
   * can exit. An engine that nobody destroys keeps its device and its memory for as long as the process runs.
   */
  destroy(): void {
    this.#faults.end();
    this.device.destroy();
    undestroyed.delete(this);
    invariant(this.#keepAlive.length > 0, "the adapter must outlive the device");
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /** Beside the threads of a software driver a poller must not keep a core busy; on a GPU nothing else needs it. */
  async #wait<T>(wait: Promise<T>): Promise<T> {
    const poller = this.hardware.kind === "cpu" ? this.#poller : undefined;
    try {
      return await (poller ? patiently(wait, poller) : wait);
    } finally {
      this.stream.waited();
    }
  }

  #hoist(
    commands: readonly Command[],
    releases: Releases,
    pool: BufferPool,
    inputs: readonly Tensor[],
  ): HoistedStep {
    return hoist(commands, releases, {
      take: (bytes) => pool.acquire(bytes, () => "an array that replays share"),
      room: this.#memory.spare,
      inputs: new Set(inputs.map((t) => t.storage.block)),
    });
  }

  #allocate(shape: Shape, dtype: Dtype, from: "host" | "kernels" = "kernels"): Tensor {
    this.#faults.requireDevice();
    const bytes = shapeSize(shape) * bytesOf(dtype);
    const storage =
      from === "host" ? this.#memory.hostStorage(bytes, shape) : this.#memory.storage(bytes, shape);
    return this.track(new Tensor(this, storage, shape, dtype));
  }

  #fill(t: Tensor, bits: number): void {
    const words = Math.ceil((t.size * bytesOf(t.dtype)) / 4);
    const asWords = new Tensor(this, t.storage, [words], "u32");
    this.launchLinear(fill, { vecs: vecsPerThread(this.hardware) }, { y: asWords }, { bits }, words);
  }
}

/** A value with more than one element for each sample and channel, such as [n,c,h,w] or [n,c,hw]. */
const isActivation = (shape: Shape): boolean => shape.length >= 3 && shapeSize(shape.slice(2)) > 1;
