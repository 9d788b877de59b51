import type { Command } from "commander";
import { nearest, UsageError } from "../../engine/errors.ts";
import * as all from "../../kernels/index.ts";
import { type Kernel, source } from "../../kernels/kernel.ts";

const kernels = new Map((Object.values(all) as unknown as Kernel[]).map((k) => [k.name, k]));

export function kernelsCommand(program: Command): void {
  const command = program
    .command("kernels")
    .description("list the WGSL kernels, or show one as it is compiled");
  command
    .command("list")
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
          console.log(`${name.padEnd(22)} ${String(variants).padStart(4)} variants  (${params.join(", ")})`);
    });
  command
    .command("show")
    .argument("<name>", "a kernel's name, as listed")
    .option("--variant <json>", "which variant, as JSON; the first unless given")
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

function pick(kernel: Kernel, json: string | undefined) {
  const [first] = kernel.variants;
  if (json === undefined) return first!;
  try {
    return { ...first, ...(JSON.parse(json) as object) };
  } catch {
    throw new UsageError(`kernels: got --variant ${json}, expected JSON such as ${JSON.stringify(first)}`);
  }
}
