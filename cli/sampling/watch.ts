import type { Engine } from "../../engine/engine.ts";
import { combine, scale } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ScoreFunction } from "../../samplers/index.ts";
import { Interrupted, type Stop } from "../interrupt.ts";
import { Progress } from "../progress.ts";
import type { Method, Moment, NoiseLevel, Point } from "./method.ts";

type Images = Float32Array<ArrayBuffer>;

/** What a drawing that can be gone on with needs of who asked for it. */
export interface Keeping {
  /** Seconds between two saves. */
  readonly every: number;
  /** Keeps what there is, so that `resume` goes on from it: the command to type. */
  readonly save: (batch: { x: Images; point: Point }) => void;
  readonly resume: string;
}

interface Watched {
  readonly engine: Engine;
  readonly score: ScoreFunction;
  /** Steps of a batch, and how many batches there are. */
  readonly total: number;
  readonly unit: Method["unit"];
  readonly batches: number;
  /** Takes pictures of the first batch on its way. */
  readonly animate: boolean;
  /** Values of the network's images as they are shown, in [0, 1]. */
  readonly shown: (values: Images) => Images;
  /** A signal ends the drawing after the step at hand. */
  readonly stop?: Stop | undefined;
  readonly keeping?: Keeping | undefined;
}

/** Pictures of an animation. */
const FRAMES = 48;

/** Milliseconds between two waits for the device: few enough for Ctrl-C and the clock, many for speed. */
const WAIT = { least: 100, most: 400 };

/** A save may take this share of the time. */
const SAVING = 0.05;

/** Looks after a drawing: shows progress, takes pictures, keeps what there is and stops when asked to. */
export class Watch {
  readonly frames: Images[];
  readonly denoised: Images[];
  /** Of the batch at hand, from 0. */
  batch = 0;
  readonly #what: Watched;
  #progress: Progress | undefined;
  #stride = 1;
  #sinceWait = 0;
  #waited = performance.now();
  #due: number;

  constructor(what: Watched, before: { frames: readonly Images[]; denoised: readonly Images[] }) {
    this.#what = what;
    this.frames = [...before.frames];
    this.denoised = [...before.denoised];
    this.#due = performance.now() + 1000 * (what.keeping?.every ?? Infinity);
  }

  /** After each step. Throws Interrupted when a signal came, what there is being kept if it is to be. */
  async step(moment: Moment): Promise<void> {
    const { total, unit, batches, animate, stop, keeping } = this.#what;
    this.#progress ??= new Progress("sampling", total * batches);
    if (animate && this.batch === 0 && moment.progress >= (this.frames.length * total) / FRAMES)
      await this.#picture(moment);
    await this.#wait();
    const done = this.batch * total + moment.progress;
    this.#progress.update(done, [moment.note, this.#batchNote()].filter(Boolean).join("  "));
    const asked = stop?.asked;
    if (keeping && (asked || performance.now() > this.#due)) await this.#keep(moment, keeping);
    if (asked)
      throw new Interrupted(
        asked,
        `stopped after ${done} of ${total * batches} ${unit}${keeping ? `; go on with: ${keeping.resume}` : ""}`,
      );
  }

  #batchNote(): string {
    const { batches } = this.#what;
    return batches > 1 ? `batch ${this.batch + 1} of ${batches}` : "";
  }

  /** The host would run far ahead of what is shown. */
  async #wait(): Promise<void> {
    if (++this.#sinceWait < this.#stride) return;
    await this.#what.engine.sync();
    const now = performance.now();
    const took = now - this.#waited;
    if (took < WAIT.least) this.#stride = Math.min(2 * this.#stride, 64);
    else if (took > WAIT.most) this.#stride = Math.max(1, this.#stride >> 1);
    this.#sinceWait = 0;
    this.#waited = now;
  }

  async #keep({ x, point }: Moment, { save, every }: Keeping): Promise<void> {
    const values = (await x.data()) as Images;
    const start = performance.now();
    save({ x: values, point });
    const end = performance.now();
    this.#due = end + Math.max(1000 * every, (end - start) / SAVING);
  }

  async #picture({ x, noise }: Moment): Promise<void> {
    const { score, shown } = this.#what;
    this.frames.push(shown((await x.data()) as Images));
    if (!noise) {
      this.denoised.push(this.frames.at(-1)!);
      return;
    }
    const clean = denoised(score, x, noise);
    this.denoised.push(shown((await clean.data()) as Images));
    clean.dispose();
  }
}

/**
 * The mean of the images that x [n,...] may have come from, (x + std^2 score) / alpha, for p(x_t | x_0) = N(alpha x_0,
 * std^2 I): Tweedie's formula (Robbins 1956; Efron 2011). The caller's to dispose.
 */
export function denoised(score: ScoreFunction, x: Tensor, { alpha, std, told }: NoiseLevel): Tensor {
  const { engine } = x;
  return engine.untrack(
    engine.noGrad(() =>
      engine.scope(() =>
        combine(scale(x, 1 / alpha), [[std ** 2 / alpha, score(x, engine.full([x.dim(0)], told))]]),
      ),
    ),
  );
}
