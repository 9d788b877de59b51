import { convertAccesses, halfElement } from "./half.ts";

/**
 * A kernel is data: WGSL, bindings, parameters and how a problem's shape becomes a dispatch.
 * Each fact is written once; `source` joins them into the text that is compiled.
 */

export type Groups = readonly [x: number, y: number, z: number];
export type ParamType = "u32" | "i32" | "f32";
/** Element type as in `array<T>`, after the access mode: "read f32", "read_write vec4f". */
export type Binding = `${"read" | "read_write"} ${"f32" | "i32" | "u32" | "vec4f" | "vec4u" | "atomic<u32>"}`;
export type Cost = { readonly bytes: number; readonly flops: number };
export type VariantValue = number | string | boolean;
export type Variant = Readonly<Record<string, VariantValue>>;

/** What a kernel may know of the adapter when it chooses a variant. */
export interface Hardware {
  /** "cpu": a software driver, one core runs a whole workgroup; "gpu": anything else. */
  readonly kind: "cpu" | "gpu";
  readonly maxWorkgroupSize: number;
  readonly maxWorkgroupStorage: number;
  /** Bytes of a tensor that a kernel can see at once. */
  readonly maxBinding: number;
  /** Arrays that a kernel may bind; 8, which every adapter has room for, unless told. */
  readonly maxStorageBuffers?: number | undefined;
  /** Its compiler is quick over loops that are written out. */
  readonly writesOut?: boolean | undefined;
  /** Kernels may say "enable subgroups". */
  readonly subgroups: boolean;
  /** Lanes of a subgroup, where all have as many. */
  readonly subgroupSize?: number | undefined;
  /** What matrix units multiply at once, where there are such. */
  readonly matrix?: MatrixUnit | undefined;
}

/** Matrices [m, k] and [k, n] of f16 with their product in f32, held by a subgroup of so many lanes. */
export type MatrixUnit = {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly lanes: number;
};

/** What `fuse` needs of a lanewise kernel. */
export interface Lanewise {
  readonly inputs: readonly string[];
  readonly output: string;
  /** The expression reads what stood in the output before. */
  readonly inPlace?: boolean;
  readonly lib: readonly string[];
  /** In the names of inputs, output where that is read, `p.NAME` of parameters and, of a kernel that draws, `z`. */
  readonly expression: string;
  /** Four draws for the vec4 that is the `block`-th of its `sample`: each element's z. */
  readonly draw?: string | undefined;
}

export interface Kernel<B extends string = string, P extends string = string, V extends Variant = Variant> {
  readonly name: string;
  readonly bindings: (v: V) => Record<B, Binding>;
  readonly params: Readonly<Record<P, ParamType>>;
  /** Helper functions in WGSL that `main` calls. */
  readonly lib: (v: V) => readonly string[];
  readonly main: (v: V) => string;
  readonly dispatch: (params: Readonly<Record<P, number>>, v: V) => Groups;
  /** Useful bytes moved and floating point operations, for rooflines. */
  readonly cost: (params: Readonly<Record<P, number>>, v: V) => Cost;
  /** Every variant a test has to check, the plainest first. */
  readonly variants: readonly V[];
  /** Variants that only compile on adapters with subgroups. */
  readonly subgroups?: ((v: V) => boolean) | undefined;
  /** Of variants that are right only where every subgroup has so many lanes. */
  readonly subgroupSize?: ((v: V) => number | undefined) | undefined;
  /** Of variants that only compile on adapters with these matrix units, with which f16 and subgroups come. */
  readonly matrix?: ((v: V) => MatrixUnit) | undefined;
  /** Bytes of workgroup memory, of kernels with variants that take more than the 16,384 that every adapter has. */
  readonly workgroupBytes?: ((v: V) => number) | undefined;
  /** Of variants that compute each element from those at the same place: see lanewise.ts. */
  readonly lanewise?: ((v: V) => Lanewise | undefined) | undefined;
}

/** A kernel as it is declared: what does not depend on the variant may stand without a function around it. */
export interface KernelSpec<B extends string, P extends string, V extends Variant> {
  name: string;
  bindings: Record<B, Binding> | ((v: V) => Record<B, Binding>);
  params: Record<P, ParamType>;
  lib?: readonly string[] | ((v: V) => readonly string[]);
  main: (v: V) => string;
  dispatch: (params: Readonly<Record<P, number>>, v: V) => Groups;
  cost: (params: Readonly<Record<P, number>>, v: V) => Cost;
  variants: readonly V[];
  subgroups?: (v: V) => boolean;
  subgroupSize?: (v: V) => number | undefined;
  matrix?: (v: V) => MatrixUnit;
  workgroupBytes?: (v: V) => number;
  lanewise?: (v: V) => Lanewise | undefined;
}

/**
 * Declares a kernel. The WGSL of `main` finds its bindings by their names, arrays of the element types they have, and its
 * parameters as fields of `p`. It is compiled when it is first launched; what the compiler complains of is thrown as a
 * DeviceError by the next wait for the device, or by `engine.prepare`.
 */
export function defineKernel<B extends string, P extends string, V extends Variant>(
  spec: KernelSpec<B, P, V>,
): Kernel<B, P, V> {
  const { bindings, lib = [] } = spec;
  return {
    ...spec,
    bindings: typeof bindings === "function" ? bindings : () => bindings,
    lib: typeof lib === "function" ? lib : () => lib,
  };
}

/** The WGSL of a variant, exactly as it is compiled. `halves`: bindings stored as f16. */
export function source<B extends string, P extends string, V extends Variant>(
  kernel: Kernel<B, P, V>,
  v: V,
  halves: readonly string[] = [],
): string {
  const params = Object.entries<ParamType>(kernel.params);
  const bindings = Object.entries<Binding>(kernel.bindings(v));
  const lines = [`// ${kernel.name} ${JSON.stringify(v)}`];
  const matrices = kernel.matrix !== undefined;
  if (halves.length > 0 || matrices) lines.push("enable f16;");
  if (kernel.subgroups?.(v) || matrices) lines.push("enable subgroups;");
  if (matrices) lines.push("enable chromium_experimental_subgroup_matrix;");
  if (params.length > 0) {
    lines.push(`struct Params { ${params.map(([name, type]) => `${name}: ${type}`).join(", ")} }`);
    lines.push(`@group(0) @binding(${bindings.length}) var<uniform> p: Params;`);
  }
  const arrays = new Map<string, string>();
  bindings.forEach(([name, binding], i) => {
    const [access, element] = binding.split(" ") as [string, string];
    const half = halves.includes(name);
    if (half) arrays.set(name, element);
    const type = half ? halfElement(element) : element;
    lines.push(`@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${type}>;`);
  });
  const text = [...kernel.lib(v), kernel.main(v)].map(dedent).join("\n");
  lines.push(arrays.size > 0 ? convertAccesses(text, arrays) : text);
  return `${lines.join("\n")}\n`;
}

/** WebGPU allows 65,535 workgroups in a dimension: longer lines are folded into x and y. */
export function linearGroups(count: number, perGroup: number): Groups {
  const groups = Math.max(1, Math.ceil(count / perGroup));
  const rows = Math.ceil(groups / MAX_GROUPS);
  return [Math.ceil(groups / rows), rows, 1];
}

export const MAX_GROUPS = 65535;

/**
 * Threads of a workgroup, each with so many neighbours: a CPU driver runs a workgroup on one core and wants many of them;
 * a GPU, where a thread has one, starts them one after the other and wants them large.
 */
export const threadsFor = (run: number): number => (run === 1 ? 256 : 64);

/** Arguments of `main`, `more` among them, and the flat workgroup and thread index for a dispatch by `linearGroups`. */
export const linearMain = (size: number, more = ""): string =>
  `@compute @workgroup_size(${size})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32${more && `, ${more}`}) {
  let group = wg.x + wg.y * groups.x;
  let thread = group * ${size}u + lane;`;

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Of a vector of WGSL. */
export const components = ["x", "y", "z", "w"] as const;

/** One line of WGSL for each i below n. */
export const unroll = (n: number, line: (i: number) => string, separator = "\n"): string =>
  range(n).map(line).join(separator);

function dedent(text: string): string {
  const lines = text.replace(/^\n/, "").trimEnd().split("\n");
  const indents = lines.slice(1).concat(text.startsWith("\n") ? (lines[0] ?? "") : []);
  const margin = Math.min(
    ...indents.filter((l) => l.trim() !== "").map((l) => l.length - l.trimStart().length),
  );
  return lines.map((l) => l.slice(Math.min(l.length - l.trimStart().length, margin || 0))).join("\n");
}
