import { checkpoint } from "../../engine/checkpointing.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Inputs } from "../../engine/op.ts";
import { Tensor } from "../../engine/tensor.ts";
import { Module } from "../module.ts";

/**
 * A part of a network after which it makes sense to forget: with `checkpointing` only what goes into the block is kept
 * for the backward pass, which computes the rest once more.
 */
export abstract class Block<Args extends readonly unknown[]> extends Module<Args, Tensor> {
  checkpointing = false;

  protected override evaluate(engine: Engine, ...args: Args): Tensor {
    if (!this.checkpointing || !engine.recording) return this.forward(...args);
    const path = [...engine.path];
    const forward = (inputs: Inputs) =>
      engine.within(path, () => this.forward(...(withTensors(args, [...inputs]) as Args)));
    return checkpoint(forward, tensorsOf(args));
  }
}

/** Switches gradient checkpointing of every block of a network on or off. Chen et al. 2016. */
export function setCheckpointing(module: Module, on: boolean): void {
  for (const part of module.parts()) {
    if (part instanceof Block) part.checkpointing = on;
    setCheckpointing(part, on);
  }
}

const isPlain = (value: unknown): value is object =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;

/** The tensors among values, arrays of values and plain options, in order. */
function tensorsOf(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  if (Array.isArray(value)) return value.flatMap(tensorsOf);
  return isPlain(value) ? Object.values(value).flatMap(tensorsOf) : [];
}

/** The value with its tensors replaced by these, in order; `tensors` is used up. */
function withTensors(value: unknown, tensors: (Tensor | undefined)[]): unknown {
  if (value instanceof Tensor) return tensors.shift();
  if (Array.isArray(value)) return value.map((v) => withTensors(v, tensors));
  if (!isPlain(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, withTensors(v, tensors)]));
}
