import { grad } from "../engine/autograd.ts";
import type { PrepareOptions } from "../engine/autotune.ts";
import type { Capture } from "../engine/capture.ts";
import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { narrow, sub } from "../engine/ops/index.ts";
import { Adam, type AdamOptions } from "../engine/optim/adam.ts";
import { clipGradients } from "../engine/optim/clip.ts";
import { GradientSum } from "../engine/optim/gradient-sum.ts";
import { learningRate } from "../engine/optim/optimizer.ts";
import type { DrawSource } from "../engine/random.ts";
import { Scalar } from "../engine/scalar.ts";
import { copyStrided } from "../engine/strided.ts";
import type { Tensor } from "../engine/tensor.ts";
import { findNonFinite, type OpReport } from "../engine/verify.ts";
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
  /** Which images a step sees, and in how many parts they go through the network: memory is that of a part. */
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
  /** Length of all gradients as one vector, before it was clipped. */
  readonly gradNorm: number;
  /** Learning rate. */
  readonly lr: number;
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

/** A step, or what of it is recorded by itself when a batch goes through in parts. */
type Stretch = "step" | "part" | "update";

/**
 * Trains a network by an objective, with dropout where it has some. A step is captured at its first run and replayed
 * afterwards; every random number is a function of (seed, step, sample). Where the batches have parts, gradients and
 * loss are the means over all parts: those of the whole batch, to rounding.
 */
export class Trainer<P extends Output = "score" | "eps"> {
  readonly engine: Engine;
  readonly optimizer: Adam;
  readonly #options: TrainerOptions<P>;
  #mixed: boolean;
  readonly #params: readonly Tensor[];
  readonly #objective: Objective<P>;
  /** Images of a part. */
  readonly #x: Tensor;
  /** Gradients and, last, the loss; where a batch has parts. */
  readonly #means: GradientSum | undefined;
  /** Of the steps that are unread. */
  readonly #losses: Tensor;
  readonly #norms: Tensor;
  readonly #draw = new Scalar(0);
  readonly #offset = new Scalar(0);
  readonly #slot = new Scalar(0);
  /** Images of a whole batch. */
  readonly #host: Float32Array<ArrayBuffer>;
  readonly #captures = new Map<Stretch, Capture<void>>();
  #unread = 0;

  /** Throws UsageError for optimizer options and a gradClip out of range, and a shape of other images than a batch has. */
  constructor(engine: Engine, options: TrainerOptions<P>) {
    const { network, batches, shape, gradClip = Infinity } = options;
    if (!(gradClip > 0))
      throw new UsageError(
        `train: got gradClip ${gradClip}, expected a positive number; leave it out for no limit`,
      );
    batches.requireOf("train", shape);
    this.engine = engine;
    this.#options = options;
    this.#mixed = options.precision === "mixed";
    const params = network.parameters();
    this.#params = [...params.values()];
    this.optimizer = new Adam(params, options.optimizer);
    const keep = (t: Tensor) => engine.untrack(t);
    this.#x = keep(engine.zeros([batches.partSize, ...shape.slice(1)]));
    this.#objective = options.objective();
    if (batches.parts > 1)
      this.#means = new GradientSum(engine, [...this.#params.map((p) => p.shape), []], batches.parts);
    this.#losses = keep(engine.zeros([UNREAD_MOST]));
    this.#norms = keep(engine.zeros([UNREAD_MOST]));
    this.#host = new Float32Array(this.#x.size * batches.parts);
  }

  /** [c, h, w] of the images. */
  get imageShape(): readonly [number, number, number] {
    const [, c, h, w] = this.#options.shape;
    return [c, h, w];
  }

  /** How many images it chooses from. */
  get imageCount(): number {
    return this.#options.batches.count;
  }

  /** Steps taken so far. */
  get step(): number {
    return this.optimizer.steps;
  }

  /** Compiles the step's kernels in parallel, before the first step needs them; with autotune on measures them first. */
  async prepare(options?: PrepareOptions): Promise<void> {
    const step = () => {
      if (!this.#means) return this.#run();
      this.#add();
      this.#update();
    };
    await this.engine.prepare(step, options);
  }

  /** Takes one step; its numbers are kept until `reports`. One that fails counts for none. */
  advance(): void {
    if (this.#unread === UNREAD_MOST)
      throw new UsageError(`advance: ${UNREAD_MOST} steps are unread; await reports() first`);
    const { state } = this.optimizer;
    const unread = this.#unread;
    try {
      this.#take();
    } catch (fault) {
      this.optimizer.state = state;
      this.#unread = unread;
      throw fault;
    }
  }

  #take(): void {
    const { step } = this;
    this.#fill(step);
    this.#slot.value = this.#unread++;
    if (!this.#means) {
      this.#feed(step, 0);
      this.optimizer.advance();
      this.#perform("step", () => this.#run());
      return;
    }
    for (let part = 0; part < this.#options.batches.parts; part++) {
      this.#feed(step, part);
      this.#perform("part", () => this.#add());
    }
    this.optimizer.advance();
    this.#perform("update", () => this.#update());
  }

  /** What there is to tell of the steps since the last call. Throws DivergedError naming the step and the layer. */
  async reports(): Promise<StepReport[]> {
    const [losses, norms] = await this.engine.readAll([this.#losses, this.#norms]);
    const first = this.step - this.#unread;
    const reports = Array.from({ length: this.#unread }, (_, i) => ({
      step: first + i,
      loss: losses![i]!,
      gradNorm: norms![i]!,
      lr: learningRate(this.optimizer.options, first + i),
    }));
    this.#unread = 0;
    const bad = reports.findIndex((r) => !Number.isFinite(r.loss) || !Number.isFinite(r.gradNorm));
    if (bad >= 0) throw await this.#diagnose(reports[bad]!, reports.slice(0, bad));
    return reports;
  }

  /** The forward and the backward pass of the next step, of its batch's first part, without an update: for `verify`. */
  passes(): void {
    this.#begin(this.step);
    grad(this.#loss(), this.#params);
  }

  /**
   * How far mixed precision leads from f32 on the next step's batch, its first part: the change of the loss, and of all gradients as
   * one vector by its length, both as shares of what f32 gives. Throws UsageError where the adapter lacks shader-f16.
   */
  async precisionError(): Promise<{ loss: number; gradients: number }> {
    const { engine } = this;
    const before = this.#mixed;
    this.#begin(this.step);
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

  /**
   * Runs `act` while the network holds the running averages of its weights, for evaluation and sampling. The newest
   * weights stand in the averages' place meanwhile, to the bit, so that no step may be taken. Without averages the
   * network keeps the newest weights.
   */
  async withAverage<T>(act: () => Promise<T>): Promise<T> {
    const { ema, params } = this.optimizer;
    ema?.exchange(params);
    try {
      return await act();
    } finally {
      ema?.exchange(params);
    }
  }

  /** What the next step needs of the device's memory. Runs its passes, without an update. */
  memory(): StepMemory {
    this.#begin(this.step);
    const gradients = (loss: Tensor) =>
      this.#means ? this.#means.add([...grad(loss, this.#params), loss]) : this.#clipped(loss);
    return stepMemory(this.engine, this.optimizer, () => this.#loss(), gradients, this.#means?.means);
  }

  /** The recorded step, once one was taken: for the profiler. Of a part of a batch that has parts. */
  get captured(): Capture<void> | undefined {
    return this.#captures.get(this.#means ? "part" : "step");
  }

  /** Frees everything but the network. */
  dispose(): void {
    for (const capture of this.#captures.values()) capture.dispose();
    for (const t of [this.#x, this.#losses, this.#norms, this.#means, this.optimizer]) t?.dispose();
    this.#objective.dispose?.();
  }

  /** Runs a stretch: recorded at its first run, replayed afterwards. */
  #perform(name: Stretch, stretch: () => void): void {
    const capture = this.#captures.get(name);
    if (capture) capture.replay();
    else if (this.#options.capture === false) this.engine.scope(stretch);
    else this.#captures.set(name, this.engine.capture(stretch));
  }

  /** Fetches the images of a step. */
  #fill(step: number): void {
    const { batches, fill } = this.#options;
    fill(batches.images(step), this.#host, step);
  }

  /** Hands a part of a step's batch to the device. */
  #feed(step: number, part: number): void {
    const { size } = this.#x;
    this.#x.write(this.#host.subarray(part * size, (part + 1) * size));
    this.#objective.feed?.(step, part);
    this.#draw.value = step;
    this.#offset.value = part * this.#options.batches.partSize;
    this.#means?.part(part);
  }

  #begin(step: number): void {
    this.#fill(step);
    this.#feed(step, 0);
  }

  #loss(): Tensor {
    const { network, seed } = this.#options;
    const source: DrawSource = { seed, step: this.#draw, sampleOffset: this.#offset };
    const trained = asPredictor(network, { dropout: source });
    const stored = (x: Tensor, condition: Tensor) =>
      this.engine.autocast(() => trained(x, condition), this.#mixed);
    return this.#objective.loss(Object.assign(stored, { predicts: network.predicts }), this.#x, source);
  }

  #clipped(loss: Tensor): { grads: Tensor[]; clip: Tensor } {
    const grads = grad(loss, this.#params);
    return { grads, clip: clipGradients(grads, this.#options.gradClip) };
  }

  #run(): void {
    const loss = this.#loss();
    const { grads, clip } = this.#clipped(loss);
    this.#apply(loss, grads, clip);
  }

  /** A part's gradients and loss. */
  #add(): void {
    const loss = this.#loss();
    this.#means!.add([...grad(loss, this.#params), loss]);
  }

  /** What follows on the last part. */
  #update(): void {
    const { means } = this.#means!;
    const grads = means.slice(0, -1);
    this.#apply(means.at(-1)!, grads, clipGradients(grads, this.#options.gradClip));
  }

  #apply(loss: Tensor, grads: readonly Tensor[], clip: Tensor): void {
    this.optimizer.apply(grads, clip);
    copyStrided(this.engine, loss, this.#losses, [1], [1], [1], 0, this.#slot);
    copyStrided(this.engine, clip, this.#norms, [1], [1], [1], 1, this.#slot);
  }

  async #diagnose({ step, loss }: StepReport, before: readonly StepReport[]): Promise<DivergedError> {
    const found = await this.#firstNonFinite(step);
    const where = found
      ? `${found.path || "the loss or its derivative"}, op ${found.op} ${found.shapes}`
      : "the norm of all gradients";
    const what = Number.isFinite(loss) ? "gradient" : "loss";
    return new DivergedError(`the ${what} is not finite at step ${step}, first in ${where}`, step, before);
  }

  async #firstNonFinite(step: number): Promise<OpReport | undefined> {
    this.#fill(step);
    for (let part = 0; part < this.#options.batches.parts; part++) {
      this.#feed(step, part);
      const found = await findNonFinite(this.engine, () => grad(this.#loss(), this.#params));
      if (found) return found;
    }
    return undefined;
  }
}

/** Length of all gradients as one vector. -> [1] */
const normOf = (grads: readonly Tensor[]): Tensor => narrow(clipGradients(grads), 0, 1, 1);
