import { type SeveralVariant, type StepVariant, tensorsOfStep } from "../../kernels/adam.ts";
import type { Hardware, Kernel } from "../../kernels/kernel.ts";
import { vecsPerThread } from "../../kernels/lanewise.ts";
import { requireApart } from "../apart.ts";
import { UsageError } from "../errors.ts";
import { requireFloat } from "../ops/require.ts";
import type { ScalarLike } from "../scalar.ts";
import { sameShape, showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { Ema } from "./ema.ts";
import { requireParameters } from "./require.ts";

/** Numbers of all optimizers. */
export interface OptimizerOptions {
  /** Learning rate, above 0. */
  lr: number;
  /** Added to the gradient, as in PyTorch's Adam and SGD (not decoupled). */
  weightDecay?: number;
  /** Steps over which the learning rate rises from 0, as score_sde: the first step's rate is 0. */
  warmup?: number;
  /** Keep a running average of the weights with this decay. */
  emaDecay?: number;
  /** The average's decay rises to emaDecay, as score_sde; it is emaDecay from the first step on, as NCSNv2, if false. */
  emaWarmup?: boolean;
}

/** What goes into a checkpoint beside the tensors: how many steps and updates of the average were made. */
export interface OptimizerState {
  steps: number;
  emaUpdates: number;
}

/**
 * What optimizers share: parameters by name, running sums of each (`sums`, by a letter), the average of the weights.
 * Call `advance` before each step, captured or not, then `apply`: a captured `apply` reads the step's numbers anew.
 */
export abstract class Optimizer {
  readonly params: ReadonlyMap<string, Tensor>;
  readonly ema: Ema | undefined;
  /** Steps taken. */
  steps = 0;
  protected readonly sums: ReadonlyMap<string, ReadonlyMap<string, Tensor>>;

  /** Throws UsageError for options out of range, for integers, and for one tensor under two names. */
  constructor(params: ReadonlyMap<string, Tensor>, options: OptimizerOptions, sums: readonly string[]) {
    requireOptions(new.target.name, options);
    requireParameters(new.target.name, params);
    const { emaDecay, emaWarmup = true } = options;
    this.params = params;
    this.sums = new Map(sums.map((letter) => [letter, zerosLike(params)]));
    this.ema = emaDecay === undefined ? undefined : new Ema(params, { limit: emaDecay, warmup: emaWarmup });
  }

  /** Sets the numbers of the next step. */
  abstract advance(): void;

  /**
   * Moves the parameters by their gradients, given in their order; `clip` comes from clipGradients. Throws UsageError for
   * another number of gradients, for one of another shape, and for one in its parameter's memory.
   */
  abstract apply(grads: readonly Tensor[], clip?: Tensor): void;

  /** Launches an optimizer's kernels for the parameters, their gradients, their sums and their average. */
  protected move(
    kernels: MoveKernels,
    grads: readonly Tensor[],
    clip: Tensor | undefined,
    numbers: Numbers,
  ): void {
    this.#requireGradients(grads);
    const moved = [...this.params].map(([name, param], i) => this.#arraysOf(name, param, grads[i]!));
    const [first] = moved;
    if (!first) return;
    const { engine } = first.param;
    const variant = { ema: this.ema !== undefined, clip: clip !== undefined };
    const all = { ...numbers, emaGain: this.ema?.gain ?? 0 };
    const most = Math.min(
      tensorsOfStep(engine.hardware, Object.keys(first).length, variant.clip),
      moved.length,
    );
    for (let i = 0; i < moved.length; i += most) {
      const from = Math.min(i, moved.length - most); // the last launch binds some that are moved, lest it needs a kernel of its own
      const those = moved.slice(from, from + most);
      if (most > 1 && fitTogether(those, engine.hardware))
        this.#moveSeveral(kernels.several, those, { from: i - from, clip, numbers: all });
      else
        for (const arrays of moved.slice(i, i + most))
          engine.launchLinear(
            kernels.one,
            { ...variant, vecs: vecsPerThread(engine.hardware) },
            { ...arrays, ...(clip && { clip }) },
            all,
            arrays.param.size,
          );
    }
  }

  /** Moves those `from` a place on; of the others nothing. */
  #moveSeveral(
    kernel: MoveKernels["several"],
    those: readonly Arrays[],
    { from, clip, numbers }: { from: number; clip: Tensor | undefined; numbers: Numbers },
  ): void {
    const { engine } = those[0]!.param;
    const tensors = those.flatMap((arrays, k) =>
      Object.entries(arrays).map(([array, t]) => [`${array}_${k}`, t] as const),
    );
    const counts = Object.keys(kernel.params).filter((name) => name.startsWith("count"));
    const countOf = (k: number): number => (k < from ? 0 : (those[k]?.param.size ?? 0));
    engine.launch(
      kernel,
      {
        ema: this.ema !== undefined,
        clip: clip !== undefined,
        tensors: those.length,
        vecs: vecsPerThread(engine.hardware),
      },
      { ...Object.fromEntries(tensors), ...(clip && { clip }) },
      { ...numbers, ...Object.fromEntries(counts.map((name, k) => [name, countOf(k)])) },
    );
  }

  /** What a kernel binds for a parameter. */
  #arraysOf(name: string, param: Tensor, grad: Tensor): Arrays {
    const sums = [...this.sums].map(([letter, sum]) => [letter, sum.get(name)!]);
    const ema = this.ema?.shadow.get(name);
    return { grad, param, ...Object.fromEntries(sums), ...(ema && { ema }) };
  }

  #requireGradients(grads: readonly Tensor[]): void {
    const who = this.constructor.name;
    if (grads.length !== this.params.size)
      throw new UsageError(
        `${who}: got ${grads.length} gradients for ${this.params.size} parameters, expected one for each, in their order`,
      );
    let i = 0;
    for (const [name, param] of this.params) {
      const grad = grads[i++]!;
      requireFloat(who, grad);
      if (!sameShape(grad.shape, param.shape))
        throw new UsageError(
          `${who}: got gradient ${showShape(grad.shape)} for ${name} ${showShape(param.shape)}, expected its shape; ` +
            "give them in the order of the parameters",
        );
      requireApart(who, { [name]: param }, { "its gradient": grad });
    }
  }

  /** Tensors to save, by name: those of a sum m as m.NAME, the average as ema.NAME. */
  tensors(): Map<string, Tensor> {
    const all = new Map<string, Tensor>();
    for (const [letter, sum] of [...this.sums, ["ema", this.ema?.shadow ?? new Map()] as const])
      for (const [name, t] of sum) all.set(`${letter}.${name}`, t);
    return all;
  }

  get state(): OptimizerState {
    return { steps: this.steps, emaUpdates: this.ema?.updates ?? 0 };
  }

  set state({ steps, emaUpdates }: OptimizerState) {
    this.steps = steps;
    if (this.ema) this.ema.updates = emaUpdates;
  }

  /** Gives the sums and the average back, not the parameters. */
  dispose(): void {
    for (const t of this.tensors().values()) t.dispose();
  }
}

type Numbers = Readonly<Record<string, ScalarLike>>;

interface MoveKernels {
  readonly one: Kernel<string, string, StepVariant>;
  readonly several: Kernel<string, string, SeveralVariant>;
}

/** Arrays of a parameter by their names in a kernel. */
type Arrays = Readonly<Record<string, Tensor>> & { readonly grad: Tensor; readonly param: Tensor };

/** Whether one launch can bind them all: whole, and none both to read and to write. */
function fitTogether(those: readonly Arrays[], { maxBinding }: Hardware): boolean {
  const written = new Set(
    those.flatMap(({ grad, ...others }) => Object.values(others).map(({ storage }) => storage)),
  );
  return those.every(({ grad, param }) => 4 * param.size <= maxBinding && !written.has(grad.storage));
}

const zerosLike = (params: ReadonlyMap<string, Tensor>): Map<string, Tensor> =>
  new Map([...params].map(([name, t]) => [name, t.engine.untrack(t.engine.zeros(t.shape))]));

/** The learning rate of step `step`, counted from 0. */
export const learningRate = ({ lr, warmup = 0 }: OptimizerOptions, step: number): number =>
  warmup > 0 ? lr * Math.min(step / warmup, 1) : lr;

function requireOptions(who: string, { lr, weightDecay = 0, warmup = 0, emaDecay }: OptimizerOptions): void {
  if (!(lr > 0)) throw new UsageError(`${who}: got lr ${lr}, expected a positive number`);
  if (!(weightDecay >= 0)) throw new UsageError(`${who}: got weightDecay ${weightDecay}, expected 0 or more`);
  if (!(warmup >= 0)) throw new UsageError(`${who}: got warmup ${warmup}, expected 0 or more steps`);
  if (emaDecay !== undefined && !(emaDecay >= 0 && emaDecay < 1))
    throw new UsageError(`${who}: got emaDecay ${emaDecay}, expected a number in [0, 1)`);
}
