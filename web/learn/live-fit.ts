import type { Law } from "../../bench/figures/law.ts";
import { hash } from "../../data/random.ts";
import { grad } from "../../engine/autograd.ts";
import type { Capture } from "../../engine/capture.ts";
import type { Engine } from "../../engine/engine.ts";
import { reshape } from "../../engine/ops/index.ts";
import { Adam } from "../../engine/optim/adam.ts";
import { Scalar } from "../../engine/scalar.ts";
import { copyStrided } from "../../engine/strided.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { annealedDsm, annealedImplicit, labelDraws } from "../../train/index.ts";
import { matchingOf } from "../../train/objectives/matching.ts";
import { LabelledScore } from "./labelled-score.ts";
import { type LearnSettings, requireSettings, sigmasOf } from "./settings.ts";

/** Steps whose losses the device keeps until they are read. */
export const MOST_STEPS = 256;
const EMA_DECAY = 0.99;

/**
 * A training that goes on as long as it is asked to, on a set that may change meanwhile. One captured step is replayed.
 * Points, labels and noise are functions of (seed, step, sample): how the steps are grouped does not matter. What is
 * looked at, `shown`, has the average of the weights.
 */
export class LiveFit {
  readonly sigmas: readonly number[];
  readonly shown: LabelledScore;
  /** Drawn afresh at every step; its blur is not used, the noise scales are the settings'. */
  law: Law;
  readonly #engine: Engine;
  readonly #settings: LearnSettings;
  readonly #network: LabelledScore;
  readonly #optimizer: Adam;
  readonly #points: Tensor;
  readonly #losses: Tensor;
  readonly #draw = new Scalar(0);
  readonly #slot = new Scalar(0);
  #capture: Capture<void> | undefined;
  #steps = 0;
  #read = 0;

  /** Throws UsageError for settings out of range. */
  constructor(engine: Engine, law: Law, settings: LearnSettings) {
    requireSettings(settings);
    const { hidden, seed, lr, batch } = settings;
    this.#engine = engine;
    this.#settings = settings;
    this.law = law;
    this.sigmas = sigmasOf(settings.noise);
    this.#network = new LabelledScore(engine, this.sigmas, { hidden, seed });
    this.shown = new LabelledScore(engine, this.sigmas, { hidden, seed });
    this.#optimizer = new Adam(this.#network.parameters, { lr, emaDecay: EMA_DECAY });
    this.#points = engine.untrack(engine.zeros([batch, 2]));
    this.#losses = engine.untrack(engine.zeros([MOST_STEPS]));
  }

  /** Steps done. */
  get steps(): number {
    return this.#steps;
  }

  /** Asks for so many steps, at most MOST_STEPS between two readings of the losses. */
  train(count: number): void {
    const { batch, seed } = this.#settings;
    for (const end = this.#steps + count; this.#steps < end; this.#steps++) {
      this.#points.write(this.law.clean(batch, hash(seed, this.#steps)));
      this.#draw.value = this.#steps;
      this.#slot.value = this.#steps % MOST_STEPS;
      this.#optimizer.advance();
      if (this.#capture) this.#capture.replay();
      else this.#capture = this.#engine.capture(() => this.#step());
    }
  }

  /** Brings the average of the weights into `shown`. Part of a captured step as well as by itself. */
  show(): void {
    for (const [name, average] of this.#optimizer.ema!.shadow)
      this.#engine.copy(average, this.shown.parameters.get(name)!);
  }

  /** The tensor to read the losses of, together with others: [MOST_STEPS]. */
  get losses(): Tensor {
    return this.#losses;
  }

  /** Of the values of `losses` those that no earlier call has seen, in the order of the steps. */
  newLosses(values: ArrayLike<number>): number[] {
    const fresh: number[] = [];
    for (; this.#read < this.#steps; this.#read++) fresh.push(values[this.#read % MOST_STEPS]!);
    return fresh;
  }

  dispose(): void {
    this.#capture?.dispose();
    this.#optimizer.dispose();
    this.#network.dispose();
    this.shown.dispose();
    this.#points.dispose();
    this.#losses.dispose();
  }

  #step(): void {
    const value = this.#loss();
    const weights = [...this.#network.parameters.values()];
    this.#optimizer.apply(grad(value, weights));
    copyStrided(this.#engine, reshape(value, [1]), this.#losses, [1], [1], [1], 0, this.#slot);
  }

  /** Weighted by sigma^2, which makes the scales of a ladder alike. Song & Ermon 2019, equation 6. */
  #loss(): Tensor {
    const { loss, seed } = this.#settings;
    const { score, sigmas } = this.#network;
    const x = this.#points;
    const source = { seed, step: this.#draw };
    const { labels } = labelDraws(x, this.sigmas.length, source);
    const ladder = { sigmas, draw: { ...source, purpose: "perturb" as const } };
    if (loss === "dsm") return annealedDsm(score, x, labels, ladder);
    return annealedImplicit(score, x, labels, { ...ladder, matching: matchingOf(loss, {}, source) });
  }
}
