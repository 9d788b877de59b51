import { toldApart } from "./buffers.ts";
import { DeviceError } from "./errors.ts";
import type { Program } from "./programs.ts";
import { showShape } from "./shapes.ts";
import type { BlockRange } from "./stream.ts";
import { bytesOf, type Tensor } from "./tensor.ts";

type ByName = Readonly<Record<string, Tensor>>;

/** Whole tensors. Throws DeviceError when one exceeds what a binding may hold. */
export function wholeRanges({ kernel, bindings }: Program, tensors: ByName, limit: number): BlockRange[] {
  const ranges: BlockRange[] = [];
  for (const name of bindings) {
    const { block, bytes } = tensors[name]!.storage;
    if (bytes > limit) throw tooLarge(kernel.name, name, tensors[name]!, limit);
    ranges.push({ block, offset: 0, size: Math.min(block.bytes, limit) });
  }
  return ranges;
}

function tooLarge(kernel: string, name: string, { shape, storage }: Tensor, limit: number): DeviceError {
  const [takes, most] = toldApart(storage.bytes, limit);
  return new DeviceError(
    `${kernel}: ${name} ${showShape(shape)} takes ${takes}, this adapter binds at most ${most} at once; use a smaller batch, image or parameter`,
    { kernel },
  );
}

/** Elements of each piece in which `count` fit into a binding. */
export const pieceOf = (count: number, limit: number): number =>
  count * 4 <= limit ? count : Math.floor(limit / 4096) * 1024;

/**
 * Elements `start` up to `start + here` of the tensors that have `count`, in pieces; tensors of fewer elements whole. Throws
 * DeviceError when one of those exceeds what a binding may hold.
 */
export function pieceRanges(
  { kernel, bindings }: Program,
  tensors: ByName,
  { start, here, count }: { start: number; here: number; count: number },
  limit: number,
): BlockRange[] {
  const ranges: BlockRange[] = [];
  for (const name of bindings) {
    const { dtype, size, storage } = tensors[name]!;
    const { block, bytes } = storage;
    const each = bytesOf(dtype);
    const shorter = size < count;
    if (shorter && bytes > limit) throw tooLarge(kernel.name, name, tensors[name]!, limit);
    const whole = shorter || here === count;
    ranges.push(
      whole
        ? { block, offset: 0, size: Math.min(block.bytes, limit) }
        : { block, offset: start * each, size: Math.ceil(here / 4) * 4 * each },
    );
  }
  return ranges;
}
