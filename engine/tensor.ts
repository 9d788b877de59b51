import type { Block, BufferPool } from "./buffers.ts";
import type { Engine } from "./engine.ts";
import { UsageError } from "./errors.ts";
import type { GraphNode } from "./graph.ts";
import { shapeSize, showShape } from "./shapes.ts";

/** f16 is a way to store what is computed as f32; the host sees it as f32. */
export type Dtype = "f32" | "f16" | "i32" | "u32";
/** Lengths of the axes, outermost first, each a whole number from 1; [] is a single number. */
export type Shape = readonly number[];
/** A tensor's values on the host: floats as float32, also where they are stored as f16. */
export type HostData<D extends Dtype = Dtype> = D extends "f32" | "f16"
  ? Float32Array<ArrayBuffer>
  : D extends "i32"
    ? Int32Array<ArrayBuffer>
    : Uint32Array<ArrayBuffer>;

export const isFloat = ({ dtype }: { readonly dtype: Dtype }): boolean => dtype === "f32" || dtype === "f16";

export const bytesOf = (dtype: Dtype): number => (dtype === "f16" ? 2 : 4);

/** Throws UsageError for an array of any other kind. */
export function dtypeOf(who: string, data: ArrayBufferView): Exclude<Dtype, "f16"> {
  if (data instanceof Float32Array) return "f32";
  if (data instanceof Int32Array) return "i32";
  if (data instanceof Uint32Array) return "u32";
  throw new UsageError(
    `${who}: got a ${data.constructor.name}, expected a Float32Array, Int32Array or Uint32Array`,
  );
}

/** Device memory with a count of its users. The buffer is taken from the pool at first use. */
export class Storage {
  readonly bytes: number;
  readonly #pool: BufferPool;
  readonly #shape: Shape;
  #block: Block | undefined;
  #users = 1;

  /** `shape`: its first tensor's, for complaints. */
  constructor(pool: BufferPool, bytes: number, shape: Shape) {
    this.#pool = pool;
    this.bytes = bytes;
    this.#shape = shape;
  }

  get block(): Block {
    if (this.#pool.closed !== undefined) throw new UsageError(`${nameOf(this.#shape)}: ${this.#pool.closed}`);
    if (this.#users === 0) throw this.#disposed();
    this.#block ??= this.#pool.acquire(this.bytes, () => nameOf(this.#shape));
    return this.#block;
  }

  /** Takes the memory now, for a walk that only counts. */
  take(): void {
    void this.block;
  }

  retain(): this {
    if (this.#users === 0) throw this.#disposed();
    this.#users++;
    return this;
  }

  release(): void {
    if (--this.#users === 0 && this.#block) this.#pool.release(this.#block);
  }

  #disposed(): UsageError {
    return new UsageError(`${nameOf(this.#shape)}: its tensor was disposed; keep it out of the scope`);
  }
}

const nameOf = (shape: Shape): string => `tensor ${showShape(shape)}`;

/**
 * A contiguous array on the device. A Tensor is a handle: `dispose` gives back the memory when no other
 * handle and no graph needs it. Handles made inside `engine.scope` are disposed at its end.
 */
export class Tensor {
  readonly engine: Engine;
  readonly shape: Shape;
  readonly dtype: Dtype;
  readonly storage: Storage;
  /** Where the value came from, when a gradient may be asked for. */
  node: GraphNode | undefined;
  #disposed = false;

  constructor(engine: Engine, storage: Storage, shape: Shape, dtype: Dtype, node?: GraphNode) {
    this.engine = engine;
    this.storage = storage;
    this.shape = shape;
    this.dtype = dtype;
    this.node = node?.retain();
  }

  get size(): number {
    return shapeSize(this.shape);
  }

  get rank(): number {
    return this.shape.length;
  }

  get requiresGrad(): boolean {
    return this.node !== undefined;
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Length of an axis; negative axes count from the end. */
  dim(axis: number): number {
    return this.shape[axis < 0 ? axis + this.rank : axis]!;
  }

  /** The values on the host. Waits for the device. */
  data(): Promise<HostData> {
    return this.engine.read(this);
  }

  /** The only value of a tensor with one element. Throws UsageError for any other. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new UsageError(`item: got a tensor ${showShape(this.shape)}, expected one element; use data()`);
    return (await this.data())[0]!;
  }

  /**
   * Overwrites the values from the host, after every use made of the old ones. Throws UsageError for another length or
   * dtype, and in a step that is being captured.
   */
  write(data: HostData): this {
    if (this.engine.capturing)
      throw new UsageError(
        `write: got values for a tensor ${showShape(this.shape)} within capture, whose replays would not write them; ` +
          "write before each replay instead",
      );
    const dtype = dtypeOf("write", data);
    if (dtype !== this.dtype) throw new UsageError(`write: got ${dtype} for a tensor of ${this.dtype}`);
    if (data.length !== this.size)
      throw new UsageError(
        `write: got ${data.length} values for a tensor ${showShape(this.shape)}, expected ${this.size}`,
      );
    this.engine.upload(this.storage, data);
    return this;
  }

  /** Another handle on the same memory and graph, owned by the caller and by no scope. */
  alias(shape: Shape = this.shape): Tensor {
    return new Tensor(this.engine, this.storage.retain(), shape, this.dtype, this.node);
  }

  /** The same values without their history. */
  detach(): Tensor {
    return this.engine.track(new Tensor(this.engine, this.storage.retain(), this.shape, this.dtype));
  }

  /** Gives this handle up. Twice is once. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.storage.release();
    this.node?.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
