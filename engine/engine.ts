/// <reference lib="dom" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/// <reference types="@webgpu/types" preserve="true" />
import { fill } from "../kernels/fill.ts";
import type { Hardware, Kernel, Variant } from "../kernels/kernel.ts";
import { vecsPerThread } from "../kernels/lanewise.ts";
import { unary } from "../kernels/unary.ts";
import { type TuneOptions, type Tuning, tune } from "./autotune.ts";
import { BufferPool, MemoryLedger, type MemoryReport, mebibytes } from "./buffers.ts";
import { Capture } from "./capture.ts";
import { type Autotune, autotuneMode, Choices, type Tunable } from "./choices.ts";
import { type Launch, phantomPool } from "./dry.ts";
import { DeviceError, invariant, UsageError } from "./errors.ts";
import { LanewiseFusion } from "./fusion.ts";
import { GraphNode } from "./graph.ts";
import { type DeviceOptions, describeHardware, openDevice, type Wishes, wishesOf } from "./hardware.ts";
import { fromHost, toHost } from "./host-data.ts";
import { Releases, usesOf } from "./lifetimes.ts";
import type { Inputs, OpSpec } from "./op.ts";
import { patiently } from "./patience.ts";
import { openCache, type TextCache } from "./platform/cache.ts";
import { platform } from "./platform/index.ts";
import type { DriverReport, OpenedGpu, OpenOptions, Poller } from "./platform/platform.ts";
import { type Program, ProgramCache } from "./programs.ts";
import { numberOf, type ScalarLike } from "./scalar.ts";
import { requireShape, shapeSize, showShape } from "./shapes.ts";
import { type BlockRange, type Command, CommandStream } from "./stream.ts";
import { copyStrided } from "./strided.ts";
import { bytesOf, type Dtype, dtypeOf, type HostData, type Shape, Storage, Tensor } from "./tensor.ts";
import { fileName, readTuning, tunedFor } from "./tuning-file.ts";
import { withFusedUpdates } from "./update-fusion.ts";
import { type VerifyOptions, type VerifyReport, verify } from "./verify.ts";

export interface EngineOptions extends OpenOptions, DeviceOptions {
  /** Bytes that tensors may hold at once; by default what the machine can be expected to bear. */
  memoryBudget?: number;
  /** Fill every new tensor with NaN first, so that a kernel that leaves a gap is found. For tests. */
  poison?: boolean;
  /** Who chooses between ways to compute an op: see choices.ts. "cached", or what STEIN_AUTOTUNE says. */
  autotune?: Autotune;
}

/** What an observer is told of each op, for verification and fault finding. */
export interface OpEvent {
  readonly spec: OpSpec<unknown>;
  readonly inputs: Inputs;
  readonly attrs: unknown;
  readonly y: Tensor;
  /** Modules around it, outermost first. */
  readonly path: string;
}

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
  /** Names of the modules whose forward is running, outermost first. */
  readonly path: string[] = [];
  /** Ways that were measured to be the fastest on this adapter. */
  readonly choices: Choices;

  readonly #fusion: LanewiseFusion;
  #ledger: MemoryLedger;
  readonly #keepAlive: readonly unknown[];
  readonly #cache: TextCache;
  readonly #poller: Poller | undefined;
  readonly #poison: boolean;
  readonly #maxBufferSize: number;
  readonly #scopes: Set<Tensor>[] = [];
  #pool: BufferPool;
  #recorder: Command[] | undefined;
  /** What a capture's host values live in: no replay may write there, so nothing else ever does. */
  #constants: BufferPool | undefined;
  /** Told of the dispatches that a walk leaves out. */
  #dry: ((launch: Launch) => void) | undefined;
  /** Operations that the launches to come stand for; those after the first for none. */
  #asked: number | undefined;
  #recording = true;
  #autocast = false;
  #halving = false;
  #fault: DeviceError | undefined;
  #destroyed = false;

  /**
   * Opens an adapter and a device. Throws UsageError for limits or features that it does not know, DeviceError with what
   * to install when there is no adapter.
   */
  static async create(options: EngineOptions = {}): Promise<Engine> {
    const wishes = wishesOf(options);
    const mode = autotuneMode(options.autotune);
    const opened = await platform.openGpu({
      dawnFeatures: ["-timestamp_quantization", "allow_unsafe_apis", "vulkan_enable_f16_on_nvidia"],
      ...options,
    });
    const { adapter, driver, systemMemory, unlisted } = opened;
    const device = await openDevice(adapter, wishes, unlisted);
    const budget = options.memoryBudget ?? (driver.software ? systemMemory * 0.75 : Infinity);
    const cache = await openCache();
    const of = tunedFor(device, driver);
    const known = mode === "off" ? new Map() : readTuning(await cache.read(fileName(of)), of);
    const choices = new Choices(mode, known);
    return new Engine(device, opened, budget, wishes, options, choices, cache);
  }

  private constructor(
    device: GPUDevice,
    { adapter, keepAlive, driver, poller, collect, withoutDirective = false }: OpenedGpu,
    budget: number,
    { limits }: Wishes,
    { poison = false }: EngineOptions,
    choices: Choices,
    cache: TextCache,
  ) {
    this.device = device;
    this.driver = driver;
    this.#keepAlive = [adapter, ...keepAlive];
    this.#poller = poller;
    this.#poison = poison;
    this.choices = choices;
    this.#cache = cache;
    this.#ledger = new MemoryLedger(budget);
    this.maxBinding = Math.min(
      device.limits.maxStorageBufferBindingSize,
      limits.maxStorageBufferBindingSize ?? Infinity,
    );
    this.hardware = describeHardware(device, adapter, driver, this.maxBinding);
    this.#maxBufferSize = Math.min(device.limits.maxBufferSize, limits.maxBufferSize ?? Infinity);
    this.#pool = this.#newPool();
    this.#pool.onRelease = (block) => this.stream.released(block);
    this.programs = new ProgramCache(device, (error) => this.#fail(error), withoutDirective);
    this.#fusion = new LanewiseFusion(this.programs, device.limits.maxStorageBuffersPerShaderStage);
    this.stream = new CommandStream(device, this.programs, this.#fusion, collect);
    device.onuncapturederror = (event) => {
      event.preventDefault();
      this.#fail(new DeviceError(event.error.message));
    };
    device.lost.then(({ reason, message }) => {
      if (!this.#destroyed) this.#fail(new DeviceError(`the device was lost (${reason}): ${message}`));
    });
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
    const t = this.#allocate(dims, dtypeOf("tensor", host), this.#constants);
    if (this.#constants) t.storage.retain(); // until the capture goes
    this.upload(t.storage, host);
    return t;
  }

  /** Memory without a value. Every op's output starts here. */
  empty(shape: Shape, dtype: Dtype = this.#halving && isActivation(shape) ? "f16" : "f32"): Tensor {
    const t = this.#allocate(shape, dtype);
    if (this.#poison) this.#fill(t, dtype === "f16" ? 0x7e007e00 : 0x7fc0dead);
    return t;
  }

  full(shape: Shape, value: number, dtype: Dtype = "f32"): Tensor {
    requireShape("full", shape);
    const t = this.#allocate(shape, dtype);
    const bits = new Uint32Array(fromHost([value], dtype).buffer)[0]!;
    this.#fill(t, bits);
    return t;
  }

  zeros(shape: Shape, dtype: Dtype = "f32"): Tensor {
    return this.full(shape, 0, dtype);
  }

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
    const made = new Set<Tensor>();
    this.#scopes.push(made);
    let result: T | undefined;
    try {
      result = fn();
      if (result instanceof Promise) {
        result.catch(() => {}); // it will miss its tensors, and nobody will be listening
        throw new UsageError("scope: got an async function, expected a plain one");
      }
    } finally {
      this.#scopes.pop();
      forEachTensor(result, (t) => {
        if (made.delete(t)) this.track(t);
      });
      for (const t of made) t.dispose();
    }
    return result;
  }

  /** Hands a tensor to the innermost scope. */
  track(t: Tensor): Tensor {
    this.#scopes.at(-1)?.add(t);
    return t;
  }

  /** Takes a tensor out of the innermost scope: the caller disposes it. */
  untrack(t: Tensor): Tensor {
    for (const scope of this.#scopes) scope.delete(t);
    return t;
  }

  noGrad<T>(fn: () => T): T {
    return this.#record(false, fn);
  }

  /** Records the graph inside `fn` again, within a `noGrad` too. */
  withGrad<T>(fn: () => T): T {
    return this.#record(true, fn);
  }

  /** Whether ops are recorded for a backward pass. */
  get recording(): boolean {
    return this.#recording;
  }

  /** Whether ops store their activations as f16: see `autocast`. */
  get autocasting(): boolean {
    return this.#autocast;
  }

  /**
   * Mixed precision: inside `fn` ops store activations (values with more than one element for each sample and
   * channel) as f16. Everything is still computed and summed in f32; parameters, gradients, means and variances stay
   * f32. Micikevicius et al. 2018, without loss scaling, which gradients in f32 do not need. Throws UsageError where
   * the adapter lacks shader-f16.
   */
  autocast<T>(fn: () => T, on = true): T {
    if (on && !this.device.features.has("shader-f16"))
      throw new UsageError("autocast: this adapter lacks shader-f16; train with precision: f32");
    const before = this.#autocast;
    this.#autocast = on;
    try {
      return fn();
    } finally {
      this.#autocast = before;
    }
  }

  /** Runs an op's forward: under `autocast` what it allocates for activations is f16. */
  forward<T>(fn: () => T): T {
    const before = this.#halving;
    this.#halving = this.#autocast;
    try {
      return this.scope(fn);
    } finally {
      this.#halving = before;
    }
  }

  /** Runs `fn` as if inside these modules. */
  within<T>(path: readonly string[], fn: () => T): T {
    const before = this.path.splice(0, Infinity, ...path);
    try {
      return fn();
    } finally {
      this.path.splice(0, Infinity, ...before);
    }
  }

  memory(): MemoryReport {
    return this.#ledger.report();
  }

  resetPeak(): void {
    this.#ledger.peak = this.#ledger.live;
  }

  /** Gives pooled buffers back to the driver. */
  trim(): void {
    this.stream.flush();
    this.#pool.trim();
    this.stream.forgetBindGroups();
  }

  // --- running kernels ---

  /**
   * Dispatches a kernel. Tensors by binding name, parameters by name.
   * Throws DeviceError when a tensor exceeds what one binding of this adapter may hold.
   */
  launch<B extends string, P extends string, V extends Variant>(
    kernel: Kernel<B, P, V>,
    variant: NoInfer<V>,
    tensors: Record<NoInfer<B>, Tensor>,
    params: Record<NoInfer<P>, ScalarLike>,
  ): void {
    const bindings = kernel.bindings(variant);
    const program = this.programs.find(kernel as unknown as Kernel, variant, halvesOf(bindings, tensors));
    if (this.#dry) {
      this.#dry({ program, tensors, params, inPieces: false, asked: this.#asked });
      if (this.#asked !== undefined) this.#asked = 0;
      return;
    }
    const limit = this.maxBinding;
    const ranges: BlockRange[] = [];
    for (const name in bindings) {
      const { block, bytes } = tensors[name].storage;
      if (bytes > limit)
        throw new DeviceError(
          `${kernel.name}: ${name} ${showShape(tensors[name].shape)} takes ${mebibytes(bytes)}, this adapter binds ` +
            `at most ${mebibytes(limit)} at once; use a smaller batch`,
          { kernel: kernel.name },
        );
      ranges.push({ block, offset: 0, size: Math.min(block.bytes, limit) });
    }
    this.#dispatch(kernel as unknown as Kernel, program, ranges, params);
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
    const limit = this.maxBinding;
    const bindings = kernel.bindings(variant);
    const piece = count * 4 <= limit ? count : Math.floor(limit / 4096) * 1024;
    const program = this.programs.find(kernel as unknown as Kernel, variant, halvesOf(bindings, tensors));
    if (this.#dry) {
      this.#dry({ program, tensors, params: { ...params, count, start: 0 }, inPieces: true });
      return;
    }
    for (let start = 0; start < count; start += piece) {
      const here = Math.min(piece, count - start);
      const ranges: BlockRange[] = [];
      for (const name in bindings) {
        const { dtype, storage } = tensors[name];
        const { block, bytes } = storage;
        const each = bytesOf(dtype);
        const whole = bytes < count * each || piece === count;
        ranges.push(
          whole
            ? { block, offset: 0, size: Math.min(block.bytes, limit) }
            : { block, offset: start * each, size: Math.ceil(here / 4) * 4 * each },
        );
      }
      this.#dispatch(kernel as unknown as Kernel, program, ranges, { ...params, count: here, start });
    }
  }

  /**
   * Launches in `fn` compute together what mathematics asks so many operations for, and do with fewer: a walk is told of
   * those asked for, whatever the way.
   */
  standingFor<T>(flops: number, fn: () => T): T {
    const before = this.#asked;
    this.#asked = flops;
    try {
      return fn();
    } finally {
      this.#asked = before;
    }
  }

  #dispatch(kernel: Kernel, program: Program, ranges: BlockRange[], named: Record<string, ScalarLike>): void {
    const params: ScalarLike[] = [];
    const numbers: Record<string, number> = {};
    for (const name in kernel.params) {
      const value = named[name];
      invariant(value !== undefined, `${kernel.name}: parameter ${name} is missing`);
      params.push(value);
      numbers[name] = numberOf(value);
    }
    const command = { program, ranges, params, groups: kernel.dispatch(numbers, program.variant) };
    this.#recorder?.push(command);
    this.stream.dispatch(command);
  }

  /**
   * Runs a step once and records it for replay. Shapes are fixed; tensors made inside belong to the capture;
   * host numbers are fixed too, unless they are Scalars. Tensors made before and disposed later must outlive it.
   * `fuseUpdates`: where a sampler's update follows the convolution that computes its score, they replay as one kernel.
   */
  capture<T>(fn: () => T, { fuseUpdates = false } = {}): Capture<T> {
    if (this.#recorder) throw new UsageError("capture: already recording; captures do not nest");
    const outer = this.#pool;
    const makeRoom = () => outer.trim(); // a replay will want what is free in its own
    const pools = [this.#newPool(makeRoom), this.#newPool(makeRoom)] as const;
    const recorded: Command[] = [];
    const releases = new Releases();
    pools[0].onRelease = (block) => releases.add(block, recorded.length);
    this.#recorder = recorded;
    [this.#pool, this.#constants] = pools;
    try {
      const result = this.scope(fn);
      forEachTensor(result, (t) => this.untrack(t));
      const commands = fuseUpdates ? withFusedUpdates(recorded, releases, this.programs) : recorded;
      const fused = this.#fusion.captured(commands, usesOf(recorded, releases));
      return new Capture(this.device, this.stream, pools, fused, result, this.hardware.kind);
    } catch (error) {
      for (const pool of pools) pool.close("its capture failed");
      this.stream.forgetBindGroups();
      throw error;
    } finally {
      pools[0].onRelease = undefined;
      this.#pool = outer;
      this.#recorder = this.#constants = undefined;
    }
  }

  /**
   * Compiles every kernel a step will use, in parallel, without running any: `fn` is walked through with
   * dispatches left out. Its results hold no values. With autotune on, `tune` comes first.
   */
  async prepare(fn: () => unknown, onProgress?: (done: number, total: number) => void): Promise<void> {
    if (this.choices.mode === "on") await this.tune(fn);
    await this.#compile(fn, onProgress);
  }

  /**
   * Measures which of their ways computes the ops of a step the fastest, where that is not known yet: `fn` is walked
   * through, and each class of problems met is timed on random numbers. From then on, and in later runs on this
   * adapter, those ways are taken. Throws UsageError with autotune off, and where the cache cannot be written.
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
    inputs: readonly (Tensor | undefined)[],
  ): W {
    return this.choices.choose(this, tunable, problem, inputs);
  }

  async #compile(fn: () => unknown, onProgress?: (done: number, total: number) => void): Promise<void> {
    const programs = new Set<Program>();
    this.dry(fn, ({ program }) => programs.add(program));
    await this.programs.compile([...programs], onProgress);
    this.#check();
  }

  /**
   * Walks through `fn` without the device: dispatches and uploads are left out, `onLaunch` is told of each dispatch, and
   * memory is counted but not taken, so that `memory` tells what `fn` would need. Shapes, graphs and complaints are as
   * in a run. Tensors made inside hold no values and are of no use outside of the walk.
   */
  dry<T>(fn: () => T, onLaunch?: (launch: Launch) => void): T {
    const before = [this.#dry, this.#ledger, this.#pool] as const;
    this.#ledger = new MemoryLedger(Infinity);
    const pool = phantomPool(this.#ledger);
    this.#pool = pool;
    this.#dry = (launch) => {
      const { program, tensors } = launch;
      for (const name in program.kernel.bindings(program.variant)) tensors[name]!.storage.take();
      onLaunch?.(launch);
    };
    try {
      return this.scope(fn);
    } finally {
      pool.close("it was made in a walk without the device, by prepare or dry; make it before");
      [this.#dry, this.#ledger, this.#pool] = before;
    }
  }

  // --- moving data ---

  upload(storage: Storage, data: HostData): void {
    if (this.#dry) storage.take();
    else this.stream.write(storage.block, data);
  }

  /** The values of a tensor on the host. */
  async read(t: Tensor): Promise<HostData> {
    return (await this.readAll([t]))[0]!;
  }

  /** The values of several tensors with one wait. */
  async readAll(tensors: readonly Tensor[]): Promise<HostData[]> {
    if (this.#recorder || this.#dry) throw new UsageError("read: a captured step cannot wait for the device");
    const staging = tensors.map((t) => {
      const bytes = Math.ceil((t.size * bytesOf(t.dtype)) / 4) * 4;
      const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
      const buffer = this.device.createBuffer({ label: "read", size: bytes, usage });
      this.stream.copyOut(t.storage.block, buffer, bytes);
      return buffer;
    });
    try {
      await this.#wait(Promise.all(staging.map((b) => b.mapAsync(GPUMapMode.READ))));
      this.#check();
      return staging.map((b, i) => toHost(b.getMappedRange().slice(0), tensors[i]!));
    } catch (cause) {
      this.#check();
      throw cause instanceof DeviceError ? cause : new DeviceError(`read: ${String(cause)}`, { cause });
    } finally {
      for (const b of staging) b.destroy();
    }
  }

  /** Copies a tensor's values into another of its size. */
  copy(from: Tensor, to: Tensor): void {
    if (from.size !== to.size)
      throw new UsageError(
        `copy: got ${showShape(from.shape)} into ${showShape(to.shape)}, expected equal sizes`,
      );
    // Integers as bits: a float kernel might flush them to zero as subnormals.
    if (from.dtype === "i32" || from.dtype === "u32")
      copyStrided(this, from, to, [from.size], [1], [1], 0, 0);
    else
      this.launchLinear(
        unary,
        { op: "copy", vecs: vecsPerThread(this.hardware) },
        { x: from, y: to },
        { a: 0 },
        from.size,
      );
  }

  /** Waits until the device has done all that was asked. Throws DeviceError if any of it failed. */
  async sync(): Promise<void> {
    this.stream.flush();
    await this.#wait(this.device.queue.onSubmittedWorkDone());
    this.#check();
  }

  /** Runs a step beside the float64 oracle and names the first op that departs: see verify.ts. */
  verify(step: () => unknown, options?: VerifyOptions): Promise<VerifyReport> {
    return verify(this, step, options);
  }

  /** Ends the device. Tensors are unusable afterwards; the process can exit. */
  destroy(): void {
    this.#destroyed = true;
    this.device.destroy();
    invariant(this.#keepAlive.length > 0, "the adapter must outlive the device");
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  #record<T>(recording: boolean, fn: () => T): T {
    const before = this.#recording;
    this.#recording = recording;
    try {
      return fn();
    } finally {
      this.#recording = before;
    }
  }

  /** Beside the threads of a software driver a poller must not keep a core busy; on a GPU nothing else needs it. */
  #wait<T>(wait: Promise<T>): Promise<T> {
    return this.#poller && this.hardware.kind === "cpu" ? patiently(wait, this.#poller) : wait;
  }

  #newPool(makeRoom?: () => void): BufferPool {
    return new BufferPool(
      this.device,
      this.#ledger,
      this.#maxBufferSize,
      () => this.stream.flush(),
      makeRoom,
    );
  }

  #allocate(shape: Shape, dtype: Dtype, pool = this.#pool): Tensor {
    if (this.#destroyed) throw gone();
    const bytes = shapeSize(shape) * bytesOf(dtype);
    const storage = new Storage(pool, bytes, `tensor ${showShape(shape)}`);
    return this.track(new Tensor(this, storage, shape, dtype));
  }

  #fill(t: Tensor, bits: number): void {
    const words = Math.ceil((t.size * bytesOf(t.dtype)) / 4);
    const asWords = new Tensor(this, t.storage, [words], "u32");
    this.launchLinear(fill, { vecs: vecsPerThread(this.hardware) }, { y: asWords }, { bits }, words);
  }

  /** Keeps the first fault, or the first that names a kernel: a shader's error comes a second time, without. */
  #fail(error: DeviceError): void {
    if (!this.#fault || (error.kernel !== undefined && this.#fault.kernel === undefined)) this.#fault = error;
  }

  #check(): void {
    if (this.#destroyed) throw gone();
    const fault = this.#fault;
    this.#fault = undefined;
    if (fault) throw fault;
  }
}

/** The bindings whose tensors are stored as f16. */
function halvesOf(bindings: object, tensors: Readonly<Record<string, Tensor>>): string[] {
  return Object.keys(bindings).filter((name) => tensors[name]!.dtype === "f16");
}

function forEachTensor(value: unknown, fn: (t: Tensor) => void, depth = 4): void {
  if (value instanceof Tensor) fn(value);
  else if (value && typeof value === "object" && depth > 0) {
    const proto = Object.getPrototypeOf(value);
    if (Array.isArray(value) || proto === Object.prototype || proto === null)
      for (const v of Object.values(value)) forEachTensor(v, fn, depth - 1);
  }
}

/** A value with more than one element for each sample and channel, such as [n,c,h,w] or [n,c,hw]. */
const isActivation = (shape: Shape): boolean => shape.length >= 3 && shapeSize(shape.slice(2)) > 1;

const gone = () => new DeviceError("engine: it was destroyed; create another");
