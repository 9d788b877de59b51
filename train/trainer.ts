import { grad } from "../engine/autograd.ts";
import type { Capture } from "../engine/capture.ts";
import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { concat, narrow, reshape, sub } from "../engine/ops/index.ts";
import { Adam, type AdamOptions } from "../engine/optim/adam.ts";
import { clipGradients } from "../engine/optim/clip.ts";
import { Scalar } from "../engine/scalar.ts";
import { copyStrided } from "../engine/strided.ts";
import type { Tensor } from "../engine/tensor.ts";
import { findNonFinite } from "../engine/verify.ts";
import { asPredictor, type Network, type Output } from "../models/prediction.ts";
import type { Batches } from "./batches.ts";
import { type StepMemory, stepMemory } from "./memory.ts";
import type { Objective } from "./objectives/index.ts";

export interface TrainerOptions<P extends Output = "score" | "eps"> {
  network: Network<P>;
  /** Makes what the network is to minimise, once the images have their memory. */
  objective: () => Objective<P>;
  optimizer: AdamOptions;
  /** Largest joint norm of the gradients. */
  gradClip?: number;
  /** [n, c, h, w] of a batch. */
  shape: readonly [number, number, number, number];
  batches: Batches;
  /** Writes the images of a step into `out`, [n, c, h, w], as the network sees them. */
  fill: (indices: Uint32Array, out: Float32Array, step: number) => void;
  seed: number;
  /** "mixed": the network's activations are stored as f16, see Engine.autocast. "f32" unless told. */
  precision?: "f32" | "mixed";
  /** Record the step once and replay it; on unless given. */
  capture?: boolean;
}

export interface StepReport {
  /** Steps taken before this one. */
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
}

/** Training stopped because something in it was not finite. Where the gradients were not, no weight was moved by them. */
export class DivergedError extends UsageError {
  /** Steps taken before the one at fault: a checkpoint of fewer steps is a good one. */
  readonly step: number;
  /** The unread reports of the steps before it. */
  readonly before: readonly StepReport[];

  constructor(what: string, step: number, before: readonly StepReport[] = []) {
    super(`train: ${what}; lower training.lr or set training.gradClip`);
    this.name = "DivergedError";
    this.step = step;
    this.before = before;
  }
}

/** Reports kept on the device before they must be read: one wait for so many steps. */
export const UNREAD_MOST = 64;

/**
 * Trains a network by an objective, with dropout where it has some. A step is captured at its first run and replayed
 * afterwards; every random number is a function of (seed, step).
 */
export class Trainer<P extends Output = "score" | "eps"> {
  readonly engine: Engine;
  readonly optimizer: Adam;
  readonly #options: TrainerOptions<P>;
  #mixed: boolean;
  readonly #params: readonly Tensor[];
  readonly #objective: Objective<P>;
  readonly #x: Tensor;
  readonly #history: Tensor;
  readonly #draw = new Scalar(0);
  readonly #slot = new Scalar(0);
  readonly #host: Float32Array<ArrayBuffer>;
  #capture: Capture<void> | undefined;
  #unread = 0;

  /** Throws UsageError for optimizer options out of range. */
  constructor(engine: Engine, options: TrainerOptions<P>) {
    this.engine = engine;
    this.#options = options;
    this.#mixed = options.precision === "mixed";
    const params = options.network.parameters();
    this.#params = [...params.values()];
    this.optimizer = new Adam(params, options.optimizer);
    const keep = (t: Tensor) => engine.untrack(t);
    this.#x = keep(engine.zeros(options.shape));
    this.#objective = options.objective();
    this.#history = keep(engine.zeros([UNREAD_MOST, 2]));
    this.#host = new Float32Array(this.#x.size);
  }

  /** [c, h, w] of the images. */
  get imageShape(): readonly [number, number, number] {
    const [, c, h, w] = this.#options.shape;
    return [c, h, w];
  }

  /** Steps taken so far. */
  get step(): number {
    return this.optimizer.steps;
  }

  /** Compiles the step's kernels in parallel, before the first step needs them. */
  async prepare(onProgress?: (done: number, total: number) => void): Promise<void> {
    await this.engine.prepare(() => this.#run(), onProgress);
  }

  /** Takes one step; its numbers are kept until `reports`. */
  advance(): void {
    if (this.#unread === UNREAD_MOST)
      throw new UsageError(`advance: ${UNREAD_MOST} steps are unread; await reports() first`);
    this.#feed(this.step);
    this.#slot.value = 2 * this.#unread++;
    this.optimizer.advance();
    if (this.#capture) this.#capture.replay();
    else if (this.#options.capture === false) this.engine.scope(() => this.#run());
    else this.#capture = this.engine.capture(() => this.#run());
  }

  /** Loss and gradient norm of the steps since the last call. Throws DivergedError naming the step and the layer. */
  async reports(): Promise<StepReport[]> {
    const values = await this.#history.data();
    const first = this.step - this.#unread;
    const reports = Array.from({ length: this.#unread }, (_, i) => ({
      step: first + i,
      loss: values[2 * i]!,
      gradNorm: values[2 * i + 1]!,
    }));
    this.#unread = 0;
    const bad = reports.findIndex((r) => !Number.isFinite(r.loss) || !Number.isFinite(r.gradNorm));
    if (bad >= 0) throw await this.#diagnose(reports[bad]!, reports.slice(0, bad));
    return reports;
  }

  /** The forward and the backward pass of the next step, without an update: for `verify`. */
  passes(): void {
    this.#feed(this.step);
    grad(this.#loss(), this.#params);
  }

  /**
   * How far mixed precision leads from f32 on the next step's batch: the change of the loss, and of all gradients as
   * one vector by its length, both as shares of what f32 gives. Throws UsageError where the adapter lacks shader-f16.
   */
  async precisionError(): Promise<{ loss: number; gradients: number }> {
    const { engine } = this;
    const before = this.#mixed;
    this.#feed(this.step);
    try {
      const numbers = engine.scope(() => {
        const [half, full] = [true, false].map((mixed) => {
          this.#mixed = mixed;
          const loss = this.#loss();
          return { loss, grads: grad(loss, this.#params) };
        });
        const apart = full!.grads.map((g, i) => sub(half!.grads[i]!, g));
        return [half!.loss, full!.loss, normOf(apart), normOf(full!.grads)];
      });
      const [half, full, apart, length] = (await engine.readAll(numbers)).map((v) => v[0]!);
      for (const t of numbers) t.dispose();
      return { loss: Math.abs(half! / full! - 1), gradients: apart! / length! };
    } finally {
      this.#mixed = before;
    }
  }

  /** What the next step needs of the device's memory. Runs its passes, without an update. */
  memory(): StepMemory {
    this.#feed(this.step);
    return stepMemory(
      this.engine,
      this.optimizer,
      () => this.#loss(),
      (loss) => this.#gradients(loss),
    );
  }

  /** The recorded step, once one was taken: for the profiler. */
  get captured(): Capture<void> | undefined {
    return this.#capture;
  }

  /** Frees everything but the network. */
  dispose(): void {
    this.#capture?.dispose();
    for (const t of [this.#x, this.#history]) t.dispose();
    this.#objective.dispose?.();
    this.optimizer.dispose();
  }

  #feed(step: number): void {
    const { batches, fill } = this.#options;
    fill(batches.images(step), this.#host, step);
    this.#x.write(this.#host);
    this.#objective.feed?.(step);
    this.#draw.value = step;
  }

  #loss(): Tensor {
    const { network, seed } = this.#options;
    const source = { seed, step: this.#draw };
    const trained = asPredictor(network, { dropout: source });
    const stored = (x: Tensor, condition: Tensor) =>
      this.engine.autocast(() => trained(x, condition), this.#mixed);
    return this.#objective.loss(Object.assign(stored, { predicts: network.predicts }), this.#x, source);
  }

  #gradients(loss: Tensor): { grads: Tensor[]; clip: Tensor } {
    const grads = grad(loss, this.#params);
    return { grads, clip: clipGradients(grads, this.#options.gradClip) };
  }

  #run(): void {
    const { engine } = this;
    const loss = this.#loss();
    const { grads, clip } = this.#gradients(loss);
    this.optimizer.apply(grads, clip);
    const report = concat([reshape(loss, [1]), narrow(clip, 0, 1, 1)], 0);
    copyStrided(engine, report, this.#history, [2], [1], [1], 0, this.#slot);
  }

  async #diagnose({ step, loss }: StepReport, before: readonly StepReport[]): Promise<DivergedError> {
    this.#feed(step);
    const found = await findNonFinite(this.engine, () => grad(this.#loss(), this.#params));
    const where = found
      ? `${found.path || "the loss or its derivative"}, op ${found.op} ${found.shapes}`
      : "the norm of all gradients";
    const what = Number.isFinite(loss) ? "gradient" : "loss";
    return new DivergedError(`the ${what} is not finite at step ${step}, first in ${where}`, step, before);
  }
}

/** Length of all gradients as one vector. -> [1] */
const normOf = (grads: readonly Tensor[]): Tensor => narrow(clipGradients(grads), 0, 1, 1);
