import { SLOT } from "./programs.ts";
import { numberOf } from "./scalar.ts";
import type { Command } from "./stream.ts";

const WORDS = SLOT / 4;
/** Slots between two changed ones that are sent along rather than by a call less. */
const GAP = 16;

/** Parameter slots of one uniform buffer with their host copy. */
export class ParamArena {
  readonly buffer: GPUBuffer;
  readonly slots: number;
  readonly #device: GPUDevice;
  /** The same memory: WebGPU's hosts are little-endian, as its devices are. */
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #floats: Float32Array<ArrayBuffer>;
  /** Slots that changed since they were sent. */
  #changed: number[] = [];

  constructor(device: GPUDevice, slots: number) {
    this.#device = device;
    this.slots = slots;
    this.#words = new Uint32Array(slots * WORDS);
    this.#floats = new Float32Array(this.#words.buffer);
    const usage = GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST;
    this.buffer = device.createBuffer({ label: "params", size: slots * SLOT, usage });
  }

  /** Sets a slot to a command's parameters, a Scalar's value as it is now. */
  set(slot: number, { program, params }: Command): void {
    const { types } = program;
    const [words, floats] = [this.#words, this.#floats];
    const at = slot * WORDS;
    let changed = false;
    for (let i = 0; i < params.length; i++) {
      const value = numberOf(params[i]!);
      const before = words[at + i];
      if (types[i] === "f32") floats[at + i] = value;
      else words[at + i] = value; // of a negative i32 the same bits
      changed ||= words[at + i] !== before;
    }
    if (changed) this.#changed.push(slot);
  }

  /** Sends what changed, for the submits to come. */
  upload(): void {
    const changed = this.#changed;
    if (changed.length === 0) return;
    changed.sort((a, b) => a - b);
    let first = changed[0]!;
    let last = first;
    for (const slot of changed) {
      if (slot - last > GAP) {
        this.#send(first, last);
        first = slot;
      }
      last = slot;
    }
    this.#send(first, last);
    this.#changed = [];
  }

  destroy(): void {
    this.buffer.destroy();
  }

  #send(first: number, last: number): void {
    const count = (last - first + 1) * SLOT;
    this.#device.queue.writeBuffer(this.buffer, first * SLOT, this.#words.buffer, first * SLOT, count);
  }
}
