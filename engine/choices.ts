import type { Hardware, Variant } from "../kernels/kernel.ts";
import type { Engine } from "./engine.ts";
import { UsageError } from "./errors.ts";
import { autotuneVariable } from "./platform/cache.ts";
import type { Tensor } from "./tensor.ts";

/*
 * Which of several ways computes an op. An op that has ways declares them as a Tunable and asks `choose` on every run:
 * that only looks up. What is looked up was measured before by `engine.tune` (autotune.ts) and is kept in a cache file
 * for this adapter (tuning-file.ts); what is not known there the heuristic decides.
 *
 * A sample's numbers may not depend on the batch around it, to the last bit. So where ways round differently, problems
 * that differ only in how many samples there are belong to one class; where all ways add in one order, a class may
 * know the batch.
 */

const autotunes = ["off", "cached", "on"] as const;
/**
 * off: heuristics decide. cached: what was measured on this adapter decides, where nothing was the heuristic. on: as
 * cached, and `prepare` first measures what it meets and finds nothing of.
 */
export type Autotune = (typeof autotunes)[number];

/** Ways to compute one thing. `P` is a problem: sizes and flags. `W` is a way: a tile, a kernel. */
export interface Tunable<P, W extends Variant> {
  readonly family: string;
  /** Problems of one class are decided together: see above. */
  readonly classOf: (problem: P) => string;
  /** What is taken where nothing was measured. */
  readonly heuristic: (hw: Hardware, problem: P) => W;
  /** All that are worth measuring, the heuristic's among them or not. One of a problem computes all of its class. */
  readonly ways: (hw: Hardware, problem: P) => readonly W[];
  /** Makes random inputs agree where one follows from another, as statistics do: else right ways may differ. */
  readonly agree?: (engine: Engine, inputs: readonly (Tensor | undefined)[], problem: P) => void;
  /** Computes the problem one way; the first tensor decides whether it is right. */
  readonly run: (engine: Engine, inputs: readonly (Tensor | undefined)[], problem: P, way: W) => Tensor;
}

/** What of an input decides how it is computed on. */
type Stored = Pick<Tensor, "shape" | "dtype">;

/** A choice that a walk met: enough to compute the same problem on other numbers. */
export interface Met {
  readonly key: string;
  readonly tunable: Tunable<unknown, Variant>;
  readonly problem: unknown;
  readonly inputs: readonly (Stored | undefined)[];
  /** Activations were stored as f16. */
  readonly autocast: boolean;
}

/** A count as a class of counts: the next power of two. */
export const bucket = (n: number): number => 2 ** Math.ceil(Math.log2(n));

/** A way as it is written in a cache file, and compared. */
export const wayName = (way: Variant): string => JSON.stringify(way);

/** The mode asked for, or what STEIN_AUTOTUNE says, or "cached". Throws UsageError for another word. */
export function autotuneMode(asked: Autotune | undefined): Autotune {
  const [who, word] = asked === undefined ? ["STEIN_AUTOTUNE", autotuneVariable()] : ["autotune", asked];
  const mode = autotunes.find((known) => known === (word ?? "cached"));
  if (!mode) throw new UsageError(`${who}: got ${word}, expected ${autotunes.join(", ")}`);
  return mode;
}

/** What was measured, by key, and the lookups of it. */
export class Choices {
  readonly mode: Autotune;
  /** Names of ways by key. */
  readonly known: Map<string, string>;
  /**
   * Measured ways by key, once they were asked for; undefined where none is known. Not the heuristic's: it may know of a
   * problem what its class does not, such as the batch.
   */
  readonly #measured = new Map<string, Variant | undefined>();
  /** Ways by family, while `forcing`. */
  readonly #forced = new Map<string, Variant>();
  #onMet: ((met: Met) => void) | undefined;

  constructor(mode: Autotune, known: ReadonlyMap<string, string>) {
    this.mode = mode;
    this.known = new Map(known);
  }

  choose<P, W extends Variant>(
    engine: Engine,
    tunable: Tunable<P, W>,
    problem: P,
    inputs: readonly (Stored | undefined)[],
  ): W {
    const { mode } = this;
    const forced = this.#forced.get(tunable.family);
    if (forced) return forced as W;
    const nothingKnown = mode === "off" || this.known.size === 0;
    if (nothingKnown && !this.#onMet) return tunable.heuristic(engine.hardware, problem);
    const { autocasting } = engine;
    const key = keyOf(tunable, problem, inputs, autocasting);
    this.#onMet?.({
      key,
      tunable: tunable as unknown as Tunable<unknown, Variant>,
      problem,
      inputs: inputs.map((t) => t && { shape: t.shape, dtype: t.dtype }),
      autocast: autocasting,
    });
    if (!this.#measured.has(key)) {
      const name = this.known.get(key);
      const known = name !== undefined && tunable.ways(engine.hardware, problem);
      this.#measured.set(key, known ? known.find((w) => wayName(w) === name) : undefined);
    }
    return (this.#measured.get(key) as W | undefined) ?? tunable.heuristic(engine.hardware, problem);
  }

  /** Keeps a measured choice: the first stays. */
  keep(key: string, name: string): void {
    if (!this.known.has(key)) this.known.set(key, name);
    this.#measured.delete(key);
  }

  /** Runs `fn` with one way for a whole family, to compare ways. */
  forcing<T>(family: string, way: Variant, fn: () => T): T {
    const before = this.#forced.get(family);
    this.#forced.set(family, way);
    try {
      return fn();
    } finally {
      if (before) this.#forced.set(family, before);
      else this.#forced.delete(family);
    }
  }

  /** Every class that a walk meets, once, in order. */
  metIn(walk: () => void): Met[] {
    const met = new Map<string, Met>();
    const before = this.#onMet;
    this.#onMet = (m) => {
      if (!met.has(m.key)) met.set(m.key, m);
    };
    try {
      walk();
    } finally {
      this.#onMet = before;
    }
    return [...met.values()];
  }
}

function keyOf<P, W extends Variant>(
  tunable: Tunable<P, W>,
  problem: P,
  inputs: readonly (Stored | undefined)[],
  autocasting: boolean,
): string {
  const halves = inputs.flatMap((t, i) => (t?.dtype === "f16" ? [i] : []));
  const storage = halves.length > 0 || autocasting ? ` f16 ${halves}${autocasting ? " y" : ""}` : "";
  return `${tunable.family} ${tunable.classOf(problem)}${storage}`;
}

/** Computes a problem the way that is chosen for it. */
export const chosen = <P, W extends Variant>(
  engine: Engine,
  tunable: Tunable<P, W>,
  inputs: readonly (Tensor | undefined)[],
  problem: P,
): Tensor => tunable.run(engine, inputs, problem, engine.choose(tunable, problem, inputs));
