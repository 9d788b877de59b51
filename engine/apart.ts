import { UsageError } from "./errors.ts";
import type { Tensor } from "./tensor.ts";

/** Throws UsageError where what is written shares its memory with what is read: a kernel may not read what it writes. */
export function requireApart(
  who: string,
  written: Readonly<Record<string, Tensor>>,
  read: Readonly<Record<string, Tensor | undefined>>,
): void {
  for (const [name, t] of Object.entries(written))
    for (const [other, x] of Object.entries(read))
      if (x?.storage === t.storage)
        throw new UsageError(
          `${who}: got ${name} and ${other} in the same memory, expected two tensors; copy one of them before`,
        );
}
