import type { Cost } from "../kernels/kernel.ts";
import { BufferPool, type MemoryLedger } from "./buffers.ts";
import type { Program } from "./programs.ts";
import { numberOf, type ScalarLike } from "./scalar.ts";
import type { Tensor } from "./tensor.ts";

/** A dispatch that a walk without the device left out. */
export interface Launch {
  readonly program: Program;
  /** By binding name; some that the variant does not bind may be among them. */
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly params: Readonly<Record<string, ScalarLike>>;
  /** Dispatched in pieces where one binding cannot hold the tensors. */
  readonly inPieces: boolean;
  /** Operations that the mathematics asks for, where the kernel's own are others: see Engine.standingFor. */
  readonly asked?: number | undefined;
}

/** Useful bytes and floating point operations of a dispatch, a multiply-add counted as two. */
export function costOf({ program: { kernel, variant }, params, asked }: Launch): Cost {
  const numbers: Record<string, number> = {};
  for (const name in kernel.params) numbers[name] = numberOf(params[name]!);
  const { bytes, flops } = kernel.cost(numbers, variant);
  return { bytes, flops: asked ?? flops };
}

/** Its floating point operations alone. */
export const flopsOf = (launch: Launch): number => costOf(launch).flops;

/** Bytes of the largest tensor that has to fit into one binding. */
export function boundBytes({ program: { kernel, variant }, tensors, inPieces }: Launch): number {
  if (inPieces) return 0;
  return Math.max(0, ...Object.keys(kernel.bindings(variant)).map((name) => tensors[name]!.storage.bytes));
}

/** A pool without memory behind it, for its count alone. */
export function phantomPool(ledger: MemoryLedger): BufferPool {
  const createBuffer = () => ({ destroy() {} });
  return new BufferPool({ createBuffer } as unknown as GPUDevice, ledger, Infinity, () => {});
}
