import { readdirSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { Array64, Shape } from "../../engine/oracle/array.ts";
import type { HostData, Tensor } from "../../engine/tensor.ts";
import type { Binding, Hardware, Kernel, Variant } from "../../kernels/kernel.ts";

const folder = new URL("../../kernels/", import.meta.url);

/** Every kernel that a file of kernels/ exports, whatever its index says. */
export async function allKernels(): Promise<Kernel[]> {
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts") && name !== "index.ts");
  const modules = await Promise.all(files.map((name) => import(new URL(name, folder).href)));
  return modules.flatMap((module) => Object.values<unknown>(module)).filter(isKernel);
}

export const isKernel = (value: unknown): value is Kernel =>
  typeof value === "object" &&
  value !== null &&
  ["name", "main", "variants", "bindings"].every((key) => key in value);

export const showVariant = (kernel: { name: string }, variant: Variant): string =>
  `${kernel.name} ${JSON.stringify(variant)}`;

/** The arrays of a variant that can be stored as f16, all at once. */
export const halvable = (kernel: Kernel, variant: Variant): string[] =>
  Object.entries<Binding>(kernel.bindings(variant))
    .filter(([, binding]) => /(f32|vec4f)$/.test(binding))
    .map(([name]) => name);

/** A kernel's variants with their names, for `test.each`. */
export const eachVariant = <V extends Variant>(kernel: {
  name: string;
  variants: readonly V[];
}): (readonly [name: string, variant: V])[] => kernel.variants.map((v) => [showVariant(kernel, v), v]);

/** What one launch of a variant computes: inputs by binding, outputs as shapes. Written to are all outputs. */
export async function launched<B extends string, P extends string, V extends Variant>(
  kernel: Kernel<B, P, V>,
  variant: V,
  inputs: Partial<Record<B, Array64 | Int32Array<ArrayBuffer>>>,
  outputs: Partial<Record<B, Shape>>,
  params: Record<P, number>,
): Promise<Record<string, HostData>> {
  const { engine } = await import("./engine.ts");
  const tensors = {} as Record<B, Tensor>;
  for (const [name, x] of Object.entries(inputs) as [B, Array64 | Int32Array<ArrayBuffer>][])
    tensors[name] =
      x instanceof Int32Array ? engine.tensor(x) : engine.tensor(Float32Array.from(x.data), x.shape);
  for (const [name, shape] of Object.entries(outputs) as [B, Shape][]) tensors[name] = engine.empty(shape);
  engine.launch(kernel, variant, tensors, params);
  const names = Object.keys(outputs) as B[];
  const values = await engine.readAll(names.map((name) => tensors[name]));
  for (const t of Object.values<Tensor>(tensors)) t.dispose();
  return Object.fromEntries(names.map((name, i) => [name, values[i]!]));
}

/** The variants that an adapter can compile. */
export const variantsFor = <V extends Variant>(
  {
    variants,
    subgroups,
    subgroupSize,
    matrix,
    workgroupBytes,
  }: Pick<Kernel<string, string, V>, "variants" | "subgroups" | "subgroupSize" | "matrix" | "workgroupBytes">,
  hw: Pick<Hardware, "subgroups" | "subgroupSize" | "matrix" | "maxWorkgroupStorage">,
): readonly V[] =>
  variants.filter(
    (v) =>
      (hw.subgroups || !subgroups?.(v)) &&
      (subgroupSize?.(v) ?? hw.subgroupSize) === hw.subgroupSize &&
      (!matrix || isDeepStrictEqual(matrix(v), hw.matrix)) &&
      (workgroupBytes?.(v) ?? 0) <= hw.maxWorkgroupStorage,
  );
