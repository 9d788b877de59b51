import { type Binding, type Kernel, type ParamType, source, type Variant } from "../kernels/kernel.ts";
import { DeviceError } from "./errors.ts";
import { shaderMessage } from "./shader-message.ts";

/** A compiled variant of a kernel. */
export interface Program {
  readonly kernel: Kernel;
  readonly variant: Variant;
  /** Bindings stored as f16. */
  readonly halves: readonly string[];
  readonly label: string;
  /** Names of its bindings. */
  readonly bindings: readonly string[];
  /** Names and types of its parameters. */
  readonly params: readonly string[];
  readonly types: readonly ParamType[];
  readonly layout: Layout;
  pipeline: GPUComputePipeline | undefined;
}

interface Layout {
  readonly key: string;
  readonly bindGroup: GPUBindGroupLayout;
  readonly pipeline: GPUPipelineLayout;
}

/** Bytes of a parameter slot; every kernel's parameters fit one. */
export const SLOT = 256;

/** Compiles each (kernel, variant) once. Layouts are explicit and shared between kernels of one signature. */
export class ProgramCache {
  readonly #device: GPUDevice;
  readonly #programs = new Map<Kernel, Map<string, Program>>();
  readonly #layouts = new Map<string, Layout>();
  readonly #onError: (error: DeviceError) => void;
  readonly #withoutDirective: boolean;
  /** Milliseconds spent in creating modules and pipelines, and how many. */
  compileMs = 0;
  compiled = 0;

  /** `withoutDirective`: the compiler refuses "enable subgroups;". */
  constructor(device: GPUDevice, onError: (error: DeviceError) => void, withoutDirective = false) {
    this.#device = device;
    this.#onError = onError;
    this.#withoutDirective = withoutDirective;
  }

  /** The program, not necessarily compiled yet. */
  find(kernel: Kernel, variant: Variant, halves: readonly string[] = []): Program {
    let variants = this.#programs.get(kernel);
    if (!variants) this.#programs.set(kernel, (variants = new Map()));
    const key = keyOf(variant, halves);
    let program = variants.get(key);
    if (!program) variants.set(key, (program = this.#program(kernel, variant, halves)));
    return program;
  }

  /** The program's pipeline, compiled now if need be. */
  pipeline(program: Program): GPUComputePipeline {
    if (program.pipeline) return program.pipeline;
    const start = performance.now();
    program.pipeline = this.#device.createComputePipeline(this.#descriptor(program));
    this.compileMs += performance.now() - start;
    this.compiled++;
    return program.pipeline;
  }

  /** Compiles in parallel; calls back after each. Throws DeviceError with the kernel's name and WGSL line. */
  async compile(
    programs: readonly Program[],
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    const cold = programs.filter((p) => !p.pipeline);
    const start = performance.now();
    let done = 0;
    await Promise.all(
      cold.map(async (program) => {
        const descriptor = this.#descriptor(program);
        try {
          program.pipeline = await this.#device.createComputePipelineAsync(descriptor);
        } catch (cause) {
          const { module } = descriptor.compute;
          throw (await shaderError(program, module)) ?? new DeviceError(`${program.label}: ${String(cause)}`);
        }
        onProgress?.(++done, cold.length);
      }),
    );
    this.compileMs += performance.now() - start;
    this.compiled += cold.length;
  }

  #program(kernel: Kernel, variant: Variant, halves: readonly string[]): Program {
    const named = JSON.stringify(variant) + (halves.length > 0 ? ` f16 ${halves}` : "");
    const bindings = kernel.bindings(variant);
    return {
      kernel,
      variant,
      halves,
      label: named === "{}" ? kernel.name : `${kernel.name} ${named}`,
      bindings: Object.keys(bindings),
      params: Object.keys(kernel.params),
      types: Object.values<ParamType>(kernel.params),
      layout: this.#layout(Object.values<Binding>(bindings)),
      pipeline: undefined,
    };
  }

  #descriptor(program: Program): GPUComputePipelineDescriptor {
    const { kernel, variant, halves, label, layout } = program;
    const text = source(kernel, variant, halves);
    const code = this.#withoutDirective ? withoutDirective(text) : text;
    const module = this.#device.createShaderModule({ label, code });
    shaderError(program, module).then(
      (error) => error && this.#onError(error),
      () => {}, // the device was lost meanwhile: reported elsewhere
    );
    return { label, layout: layout.pipeline, compute: { module, entryPoint: "main" } };
  }

  #layout(bindings: readonly Binding[]): Layout {
    const key = bindings.map((b) => (b.startsWith("read_write") ? "w" : "r")).join("");
    const known = this.#layouts.get(key);
    if (known) return known;
    const entries: GPUBindGroupLayoutEntry[] = bindings.map((b, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: b.startsWith("read_write") ? "storage" : "read-only-storage" },
    }));
    entries.push({
      binding: bindings.length,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: "uniform" },
    });
    const bindGroup = this.#device.createBindGroupLayout({ label: key, entries });
    const pipeline = this.#device.createPipelineLayout({ label: key, bindGroupLayouts: [bindGroup] });
    const layout = { key, bindGroup, pipeline };
    this.#layouts.set(key, layout);
    return layout;
  }
}

/** A variant as a key, for launch after launch: JSON takes several times as long. */
function keyOf(variant: Variant, halves: readonly string[]): string {
  let key = "";
  for (const name in variant) {
    const value = variant[name];
    if (value !== undefined) key += `${name} ${value},`;
  }
  return halves.length > 0 ? `${key} f16 ${halves}` : key;
}

/** A text without "enable subgroups;", its lines where they were. */
export const withoutDirective = (text: string): string => text.replace("enable subgroups;", "");

async function shaderError(program: Program, module: GPUShaderModule): Promise<DeviceError | undefined> {
  const { messages } = await module.getCompilationInfo();
  const error = messages.find((m) => m.type === "error");
  if (!error) return undefined;
  const { lineNum } = error;
  const text = source(program.kernel, program.variant, program.halves).split("\n")[lineNum - 1]?.trim();
  const complaint = shaderMessage(error.message);
  if (text === undefined)
    // line 0: a fault of the whole
    return new DeviceError(`${program.label}: WGSL: ${complaint}`, { kernel: program.kernel.name });
  return new DeviceError(`${program.label}: WGSL line ${lineNum}: ${complaint}: ${text}`, {
    kernel: program.kernel.name,
    line: lineNum,
  });
}
