import { type FisherDivergence, fisherDivergence } from "../../bench/figures/fisher.ts";
import { type Law, sampleLaw } from "../../bench/figures/law.ts";
import { lengths, planeGrid, quantile } from "../../bench/figures/plane.ts";
import type { Engine } from "../../engine/engine.ts";
import { LiveFit } from "./live-fit.ts";
import { Particles } from "./particles.ts";
import { Probe } from "./probe.ts";
import type { PointSet } from "./sets.ts";
import type { LearnSettings } from "./settings.ts";

/** Arrows along a side of the plane. */
const SIDE = 21;
/** Points at which the score is held against the true one; none of them is trained on. */
const HELD = 512;
export const SHOWN_POINTS = 700;
const PARTICLES = 220;

/** The set at one noise scale: what the picture shows of it, and the true score. */
export interface Truth {
  readonly sigma: number;
  /** Drawn from the blurred set, [n,2]. */
  readonly points: Float32Array;
  readonly held: Float32Array<ArrayBuffer>;
  readonly atHeld: Float64Array;
  readonly onGrid: Float64Array;
  /** A length that nine of ten true scores stay below. */
  readonly longest: number;
}

/** What a frame has read back. */
export interface Snapshot {
  readonly losses: readonly number[];
  /** The learned score on the grid, [n,2]. */
  readonly learned: Float32Array;
  readonly particles: Float32Array;
}

/** All that is on the device for one training: the network, where it is looked at, the chains on it. */
export class Session {
  readonly settings: LearnSettings;
  readonly fit: LiveFit;
  readonly particles: Particles;
  readonly grid: Float32Array<ArrayBuffer>;
  readonly #engine: Engine;
  readonly #field: Probe;
  #set: PointSet;
  #held: { truth: Truth; probe: Probe } | undefined;
  #truths = new Map<number, Promise<Truth>>();

  /** Throws UsageError for settings out of range. */
  constructor(engine: Engine, set: PointSet, settings: LearnSettings) {
    this.#engine = engine;
    this.#set = set;
    this.settings = settings;
    this.fit = new LiveFit(engine, set.law(1), settings);
    this.grid = planeGrid(SIDE, -set.reach, set.reach);
    const { score } = this.fit.shown;
    this.#field = new Probe(engine, score, this.grid);
    this.particles = new Particles(engine, score, {
      count: PARTICLES,
      seed: settings.seed,
      reach: set.reach,
      sigmas: this.fit.sigmas,
    });
  }

  /** What is learned. */
  get set(): PointSet {
    return this.#set;
  }

  /** The set has changed: the training goes on with what it is now. */
  changed(set: PointSet): void {
    this.#set = set;
    this.fit.law = set.law(1);
    this.#truths.clear();
  }

  /** The set at the noise scale of a label, computed once, in pieces that leave the page time to breathe. */
  truth(label: number): Promise<Truth> {
    let truth = this.#truths.get(label);
    if (!truth) this.#truths.set(label, (truth = this.#computed(this.#set.law(this.fit.sigmas[label]!))));
    return truth;
  }

  /** Trains, moves the chains and reads what is to be shown, with one wait. */
  async frame({ steps, moves, label }: { steps: number; moves: number; label: number }): Promise<Snapshot> {
    this.fit.train(steps);
    this.fit.show();
    this.#field.label = label;
    const field = this.#field.look();
    this.particles.move(moves);
    const read = await this.#engine.readAll([this.fit.losses, field, this.particles.x]);
    const [losses, learned, particles] = read as Float32Array[];
    return { losses: this.fit.newLosses(losses!), learned: learned!, particles: particles! };
  }

  /** How far the learned score is from the true one at held points of the set, blurred to the label's noise scale. */
  async divergence(label: number): Promise<FisherDivergence> {
    const truth = await this.truth(label);
    if (this.#held?.truth !== truth) {
      this.#held?.probe.dispose();
      this.#held = { truth, probe: new Probe(this.#engine, this.fit.shown.score, truth.held) };
      this.#held.probe.label = label;
    }
    this.fit.show();
    return fisherDivergence((await this.#held.probe.look().data()) as Float32Array, truth.atHeld);
  }

  dispose(): void {
    this.#held?.probe.dispose();
    this.#field.dispose();
    this.particles.dispose();
    this.fit.dispose();
  }

  async #computed(law: Law): Promise<Truth> {
    const held = sampleLaw(law, HELD, this.settings.seed + 1);
    const atHeld = await inPieces(law.score, held);
    return {
      sigma: law.sigma,
      points: sampleLaw(law, SHOWN_POINTS, this.settings.seed + 2),
      held,
      atHeld,
      onGrid: await inPieces(law.score, this.grid),
      longest: quantile(lengths(atHeld), 0.9),
    };
  }
}

const PIECE = 32;

/** A score at points [n,2], a few at a time, with the page's turn between. */
async function inPieces(score: Law["score"], points: Float32Array): Promise<Float64Array> {
  const out = new Float64Array(points.length);
  for (let from = 0; from < points.length; from += 2 * PIECE) {
    out.set(score(points.subarray(from, from + 2 * PIECE)), from);
    await new Promise((resolve) => setTimeout(resolve));
  }
  return out;
}
