import {
  type Cost,
  defineKernel,
  type Groups,
  type Hardware,
  type Kernel,
  linearGroups,
  linearMain,
  type ParamType,
  threadsFor,
  type Variant,
} from "./kernel.ts";

/*
 * Kernels that compute each element from the elements at the same place: y[i] = f(x[i], ...). They walk whole
 * tensors four floats at a time, and neighbours in a captured step can run as one kernel (see fuse).
 */

/** vec4s a thread handles in a row: a CPU driver wants whole cache lines, a GPU neighbours side by side. */
export const vecsPerThread = (hw: Hardware): number => (hw.kind === "cpu" ? 4 : 1);

/** WGSL that runs `body` (with `i` a vec4 index) for a thread's vec4s below `p.count` elements. */
export const forEachVec4 = (vecs: number, body: string): string => `
  ${linearMain(threadsFor(vecs))}
    let end = min((thread + 1u) * ${vecs}u, p.count / 4u + min(p.count % 4u, 1u));
    for (var i = thread * ${vecs}u; i < end; i++) { ${body} }
  }`;

export const vec4Groups = (count: number, vecs: number): Groups =>
  linearGroups(Math.ceil(count / 4 / vecs), threadsFor(vecs));

/** A kernel z = f(inputs) on vec4s; `f` is an expression in the inputs' names and `p.NAME` of its parameters. */
interface LanewiseSpec<
  I extends string,
  O extends string,
  P extends string,
  V extends Variant & { vecs: number },
> {
  name: string;
  inputs: readonly I[];
  output: O;
  params: Record<P, ParamType>;
  lib: (v: V) => readonly string[];
  expression: (v: V) => string;
  variants: readonly V[];
  flops: number;
}

/** What `fuse` needs of a lanewise kernel. */
export interface Lanewise {
  readonly inputs: readonly string[];
  readonly output: string;
  readonly expression: string;
}

export function defineLanewise<
  I extends string,
  O extends string,
  P extends string,
  V extends Variant & { vecs: number },
>(spec: LanewiseSpec<I, O, P, V>): Kernel<I | O, P | "count", V> & { readonly lanewise: (v: V) => Lanewise } {
  const { name, inputs, output, lib, expression, variants, flops } = spec;
  const bindings = Object.fromEntries([
    ...inputs.map((i) => [i, "read vec4f"]),
    [output, "read_write vec4f"],
  ]);
  const kernel = defineKernel<I | O, P | "count", V>({
    name,
    bindings: bindings as Record<I | O, "read vec4f">,
    params: { count: "u32", ...spec.params } as Record<P | "count", ParamType>,
    lib,
    variants,
    main: (v) => `
      ${functionOf("f", inputs, expression(v))}
      ${forEachVec4(v.vecs, assign(output, "f", inputs))}`,
    dispatch: ({ count }, v) => vec4Groups(count, v.vecs),
    cost: ({ count }): Cost => ({ bytes: 4 * (inputs.length + 1) * count, flops: flops * count }),
  });
  return { ...kernel, lanewise: (v) => ({ inputs, output, expression: expression(v) }) };
}

const functionOf = (name: string, inputs: readonly string[], expression: string): string =>
  `fn ${name}(${inputs.map((i) => `${i}: f32`).join(", ")}) -> f32 { return ${expression}; }`;

/** target[i] = f(sources[i]) lane by lane. */
const assign = (target: string, f: string, sources: readonly string[]): string => {
  const names = sources.map((_, k) => `v${k}`);
  const loads = sources.map((s, k) => `let v${k} = ${s}[i];`).join(" ");
  return `{ ${loads} ${target}[i] = ${laneByLane(f, names)}; }`;
};

const laneByLane = (f: string, vectors: readonly string[]): string =>
  `vec4f(${["x", "y", "z", "w"].map((l) => `${f}(${vectors.map((v) => `${v}.${l}`).join(", ")})`).join(", ")})`;

/** One lanewise kernel of a fused run: its arrays by place among the run's arrays, parameters after the others'. */
export interface FusedStep {
  readonly kernel: Kernel & { readonly lanewise: (v: Variant) => Lanewise };
  readonly variant: Variant;
  /** For each binding of the kernel, which of the run's arrays it is. */
  readonly arrays: readonly number[];
}

/** An array of a fused run; one that is neither read nor stored is in registers alone. */
export interface FusedArray {
  /** Steps need what was in it before the run. */
  readonly read: boolean;
  /** Somebody needs what the run leaves in it. */
  readonly stored: boolean;
  /** Its elements are f16: who reads it finds them rounded, in memory or not. */
  readonly half: boolean;
}

/**
 * To f16 and back. A conversion and its inverse side by side are taken for nothing by some compilers (Mesa's), so a zero
 * that only a run knows for one stands between: no array has 2^31 elements.
 */
const rounded = `fn rounded(v: vec4f) -> vec4f {
  let zero = p.count >> 31u;
  return vec4f(unpack2x16float(pack2x16float(v.xy) | zero), unpack2x16float(pack2x16float(v.zw) | zero));
}`;

/**
 * Lanewise kernels in a row as one: a thread takes its elements through all of them, in registers, before the next
 * thread's come. Array a is bound as ta. Step k's parameter NAME is called NAME_k.
 */
export function fuse(steps: readonly FusedStep[], arrays: readonly FusedArray[], vecs: number): Kernel {
  const params: Record<string, ParamType> = { count: "u32" };
  const lib = new Set<string>();
  /** Names of functions by what they compute: steps without parameters share them. */
  const functions = new Map<string, string>();
  const texts: string[] = [];
  const body: string[] = [];
  /** What holds an array's newest elements. */
  const held = new Map<number, string>();
  steps.forEach(({ kernel, variant, arrays: places }, k) => {
    for (const text of kernel.lib(variant)) lib.add(text);
    for (const [name, type] of Object.entries(kernel.params))
      if (name !== "count") params[`${name}_${k}`] = type;
    const { inputs, expression } = kernel.lanewise(variant);
    const own = expression.replace(/\bp\.(\w+)/g, (_, name) => `p.${name}_${k}`);
    const meaning = `${inputs}: ${own}`;
    if (!functions.has(meaning)) {
      functions.set(meaning, `step${k}`);
      texts.push(functionOf(`step${k}`, inputs, own));
    }
    const [target, sources] = [places[inputs.length]!, places.slice(0, inputs.length)];
    for (const a of sources)
      if (!held.has(a)) {
        held.set(a, `x${k}_${a}`);
        body.push(`let x${k}_${a} = t${a}[i];`);
      }
    const vectors = sources.map((a) => held.get(a)!);
    const value = laneByLane(functions.get(meaning)!, vectors);
    body.push(`let y${k} = ${arrays[target]!.half ? `rounded(${value})` : value};`);
    held.set(target, `y${k}`);
  });
  if (arrays.some(({ half }) => half)) texts.push(rounded);
  arrays.forEach(({ stored }, a) => {
    if (stored) body.push(`t${a}[i] = ${held.get(a)!};`);
  });
  const bound = arrays.flatMap(({ read, stored }, a) => (read || stored ? [[`t${a}`, stored] as const] : []));
  return defineKernel<string, string, Variant>({
    name: `fused_${steps.length}`,
    bindings: Object.fromEntries(bound.map(([t, w]) => [t, w ? "read_write vec4f" : "read vec4f"])),
    params,
    lib: [...lib],
    variants: [{}],
    main: () => `${texts.join("\n")}\n${forEachVec4(vecs, body.join("\n"))}`,
    dispatch: ({ count }) => vec4Groups(count!, vecs),
    cost: ({ count }) => ({ bytes: 4 * bound.length * count!, flops: steps.length * count! }),
  });
}
