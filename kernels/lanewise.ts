import {
  type Cost,
  components,
  defineKernel,
  type Groups,
  type Hardware,
  type Kernel,
  type Lanewise,
  linearGroups,
  linearMain,
  type ParamType,
  threadsFor,
  type Variant,
} from "./kernel.ts";

/*
 * Kernels that compute each element from the elements at the same place, and perhaps a random number of its own:
 * y[i] = f(x[i], ...). They walk whole tensors four floats at a time, and neighbours in a captured step can run as one
 * kernel (see fuse).
 */

/** vec4s a thread may handle in a row, for a kernel's list of variants. */
export const vecCounts: readonly number[] = [1, 8];
/** What it handles: a CPU driver wants long runs, for a thread's place takes it some 24 divisions, a GPU neighbours side by side. */
export const vecsPerThread = (hw: Hardware): number => (hw.kind === "cpu" ? 8 : 1);

/** WGSL that runs `body` (with `i` a vec4 index) for a thread's vec4s below `p.count` elements. */
export const forEachVec4 = (vecs: number, body: string): string =>
  vecs > 1
    ? forEachVec4InTurn(vecs, body)
    : `
  ${linearMain(threadsFor(1))}
    let i = thread;
    if (i * 4u < p.count) { ${body} }
  }`;

/**
 * The same in a loop, with `before` ahead of it. No compiler knows its length, lest it compiles the body `vecs` times: that
 * takes as much longer, and on llvmpipe it runs slower.
 */
export const forEachVec4InTurn = (vecs: number, body: string, before = ""): string => `
  ${linearMain(threadsFor(vecs))}
    ${before}
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

/** Parameters that a lanewise kernel's expression mentions: to a fused run it brings these. */
export function ownParams(kernel: Kernel, { expression, draw = "" }: Lanewise): string[] {
  return Object.keys(kernel.params).filter((name) => new RegExp(`\\bp\\.${name}\\b`).test(draw + expression));
}

export function defineLanewise<
  I extends string,
  O extends string,
  P extends string,
  V extends Variant & { vecs: number },
>(spec: LanewiseSpec<I, O, P, V>): Kernel<I | O, P | "count", V> {
  const { name, inputs, output, lib, expression, variants, flops } = spec;
  const bindings = Object.fromEntries([
    ...inputs.map((i) => [i, "read vec4f"]),
    [output, "read_write vec4f"],
  ]);
  return defineKernel<I | O, P | "count", V>({
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
    lanewise: (v) => ({ inputs, output, lib: lib(v), expression: expression(v) }),
  });
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
  `vec4f(${components.map((l) => `${f}(${vectors.map((v) => `${v}.${l}`).join(", ")})`).join(", ")})`;

/** One lanewise kernel of a fused run: its arrays by place among the run's arrays, parameters after the others'. */
export interface FusedStep {
  readonly kernel: Kernel;
  readonly lanewise: Lanewise;
  /** For each input and the output, which of the run's arrays it is. */
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

/*
 * Compilers may take sums for associative and products for distributive, join a product and a sum without rounding between
 * them, and take a conversion and its inverse for nothing. Mesa's makes a of (a + b) - b. Between kernels they cannot. So a
 * zero that only a run knows for one stands between the steps: no array has 2^31 elements.
 */
const zero = "(p.count >> 31u)";

/** What one step leaves to another. */
const kept = `fn kept(v: vec4f) -> vec4f { return bitcast<vec4f>(bitcast<vec4u>(v) | vec4u(${zero})); }`;

/** The same of f16: there and back. */
const rounded = `fn rounded(v: vec4f) -> vec4f {
  return vec4f(unpack2x16float(pack2x16float(v.xy) | ${zero}), unpack2x16float(pack2x16float(v.zw) | ${zero}));
}`;

/** Which vec4 of which sample comes next, for those who draw. */
const walk = (vecs: number) => ({
  before: `
    let blocks = (p.sampleSize + 3u) / 4u;
    var sample = thread * ${vecs}u / blocks;
    var block = thread * ${vecs}u - sample * blocks;`,
  next: "block++; if (block == blocks) { block = 0u; sample++; }",
});

/**
 * Lanewise kernels in a row as one: a thread takes its elements through all of them, in registers, before the next
 * thread's come; bit for bit what they compute one by one. Array a is bound as ta. Step k's parameter NAME is called
 * NAME_k; all share `count` and, where one draws, `sampleSize`.
 */
export function fuse(steps: readonly FusedStep[], arrays: readonly FusedArray[], vecs: number): Kernel {
  const draws = steps.some(({ lanewise }) => lanewise.draw);
  const params: Record<string, ParamType> = { count: "u32", ...(draws && { sampleSize: "u32" }) };
  const lib = new Set<string>();
  /** Names of functions by what they compute: steps without parameters share them. */
  const functions = new Map<string, string>();
  const texts: string[] = [];
  const body: string[] = [];
  /** What holds an array's newest elements. */
  const held = new Map<number, string>();
  steps.forEach(({ kernel, lanewise, arrays: places }, k) => {
    const { inputs, output, inPlace, expression, draw } = lanewise;
    for (const text of lanewise.lib) lib.add(text);
    for (const name of ownParams(kernel, lanewise)) params[`${name}_${k}`] = kernel.params[name]!;
    const own = (text: string) => text.replace(/\bp\.(\w+)/g, (_, name) => `p.${name}_${k}`);
    const names = [...inputs, ...(inPlace ? [output] : []), ...(draw ? ["z"] : [])];
    const meaning = `${names}: ${own(expression)}`;
    if (!functions.has(meaning)) {
      functions.set(meaning, `step${k}`);
      texts.push(functionOf(`step${k}`, names, own(expression)));
    }
    const target = places[inputs.length]!;
    const sources = [...places.slice(0, inputs.length), ...(inPlace ? [target] : [])];
    for (const a of sources)
      if (!held.has(a)) {
        held.set(a, `x${k}_${a}`);
        body.push(`let x${k}_${a} = t${a}[i];`);
      }
    const vectors = sources.map((a, i) => (sources.indexOf(a) < i ? `kept(${held.get(a)})` : held.get(a)!));
    if (draw) {
      body.push(`let z${k} = ${own(draw)};`);
      vectors.push(`z${k}`);
    }
    const value = laneByLane(functions.get(meaning)!, vectors);
    body.push(`let y${k} = ${arrays[target]!.half ? "rounded" : "kept"}(${value});`);
    held.set(target, `y${k}`);
  });
  if (arrays.some(({ half }) => half)) texts.push(rounded);
  texts.push(kept);
  arrays.forEach(({ stored }, a) => {
    if (stored) body.push(`t${a}[i] = ${held.get(a)!};`);
  });
  const { before, next } = walk(vecs);
  const walked = draws
    ? forEachVec4InTurn(vecs, [...body, next].join("\n"), before)
    : forEachVec4(vecs, body.join("\n"));
  const bound = arrays.flatMap(({ read, stored }, a) => (read || stored ? [[`t${a}`, stored] as const] : []));
  return defineKernel<string, string, Variant>({
    name: `fused_${steps.length}`,
    bindings: Object.fromEntries(bound.map(([t, w]) => [t, w ? "read_write vec4f" : "read vec4f"])),
    params,
    lib: [...lib],
    variants: [{}],
    main: () => [...texts, walked].join("\n"),
    dispatch: ({ count }) => vec4Groups(count!, vecs),
    cost: ({ count }) => ({ bytes: 4 * bound.length * count!, flops: steps.length * count! }),
  });
}
