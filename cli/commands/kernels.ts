import type { Command } from "commander";
import { nearest, UsageError } from "../../engine/errors.ts";
import * as all from "../../kernels/index.ts";
import { type Kernel, source, type Variant, type VariantValue } from "../../kernels/kernel.ts";

const named = (Object.values(all) as unknown as Kernel[]).map((k) => [k.name, k] as const);
const kernels = new Map(named.sort(([a], [b]) => (a < b ? -1 : 1)));

export function kernelsCommand(program: Command): void {
  const command = program
    .command("kernels")
    .description("list the WGSL kernels, or show one as it is compiled");
  command
    .command("list")
    .description("every kernel with its number of variants and its parameters")
    .option("--json", "as JSON")
    .action(({ json }: { json?: boolean }) => {
      const rows = [...kernels.values()].map((k) => ({
        name: k.name,
        variants: k.variants.length,
        params: Object.keys(k.params),
      }));
      if (json) console.log(JSON.stringify(rows, null, 2));
      else
        for (const { name, variants, params } of rows)
          console.log(
            `${name.padEnd(22)} ${String(variants).padStart(4)} ${variants === 1 ? "variant " : "variants"}  (${params.join(", ")})`,
          );
    });
  command
    .command("show")
    .description("the WGSL of a kernel, exactly as it is compiled")
    .argument("<name>", "a kernel's name, as listed")
    .option("--variant <json>", "which variant, as JSON; what is left out is as in the first")
    .option("--variants", "list the kernel's variants instead")
    .action((name: string, { variant, variants }: { variant?: string; variants?: boolean }) => {
      const kernel = kernels.get(name);
      if (!kernel) {
        const meant = nearest(name, kernels.keys());
        throw new UsageError(
          `kernels: no kernel "${name}"${meant ? `, did you mean ${meant}?` : "; see stein kernels list"}`,
        );
      }
      if (variants) for (const v of kernel.variants) console.log(JSON.stringify(v));
      else process.stdout.write(source(kernel, pick(kernel, variant)));
    });
}

/** The first variant with what `json` sets in it. Throws UsageError for what the kernel has no such setting of. */
function pick(kernel: Kernel, json: string | undefined): Variant {
  const first = kernel.variants[0]!;
  if (json === undefined) return first;
  const wanted = parseObject(json);
  if (!wanted)
    throw new UsageError(`kernels: got --variant ${json}, expected JSON such as '${JSON.stringify(first)}'`);
  for (const [key, value] of Object.entries(wanted)) {
    const known = [...new Set(kernel.variants.map((v) => v[key]))];
    if (known[0] === undefined) {
      const keys = Object.keys(first).join(", ") || "none: it has but one variant";
      throw new UsageError(`kernels: ${kernel.name} has no "${key}" in its variants, expected ${keys}`);
    }
    const sizes = typeof known[0] === "number"; // those compile on demand
    if (sizes ? !(Number.isInteger(value) && (value as number) > 0) : !known.includes(value as VariantValue))
      throw new UsageError(
        `kernels: got ${key} ${JSON.stringify(value)} for ${kernel.name}, expected ` +
          (sizes ? `a whole number from 1, such as ${known.join(", ")}` : `one of ${known.join(", ")}`),
      );
  }
  return { ...first, ...(wanted as Variant) };
}

function parseObject(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return value && typeof value === "object" && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
