import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { scale } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";

/** What is integrated: tensors in a fixed order, such as samples [n,...] and their log densities [n]. */
export type State = readonly Tensor[];

/**
 * dy/dt of a state at one time, each part of its part's shape, in tensors of its own: a solver keeps them over later
 * calls. It may not change the state, and no gradient flows through it.
 */
export type Field = (state: State, t: number) => State;

/** How far an integration has come: beside its state, all that a solver needs to go on as if it had never stopped. */
export interface OdePoint {
  /** Where the integration has come to. */
  readonly t: number;
  /** Steps taken so far. */
  readonly done: number;
  /** Evaluations of the field so far. */
  readonly nfe: number;
  /** Of the next step, where the solver chooses it. */
  readonly length?: number;
}

export interface OdeProgress extends OdePoint {
  /** Read it before the callback returns. */
  readonly state: State;
}

export type OnOdeStep = (progress: OdeProgress) => void | Promise<void>;

export interface OdeSolution {
  /** At the end; the caller's to dispose. */
  readonly state: State;
  /** Evaluations of the field. */
  readonly nfe: number;
  /** Where this call's steps ended, the start first. */
  readonly times: readonly number[];
}

export interface OdeProblem {
  readonly field: Field;
  /** It is left as it is. */
  readonly start: State;
  /** Where `start` stands, as the progress of an earlier call told it; at `from` unless given. */
  readonly after?: OdePoint | undefined;
  readonly from: number;
  /** May lie before `from`: time then runs backwards. */
  readonly to: number;
  /** Called after each step; it is awaited. */
  readonly onStep?: OnOdeStep;
}

/** Integrates dy/dt = field(y, t). Throws UsageError for a span without length. */
export type OdeSolver = (engine: Engine, problem: OdeProblem) => Promise<OdeSolution>;

/** Throws UsageError for an empty state, a span without a length, and a point that does not lie in it. */
export function requireProblem(who: string, { start, from, to, after }: OdeProblem): void {
  if (start.length === 0) throw new UsageError(`${who}: got an empty state, expected at least one tensor`);
  if (!Number.isFinite(from) || !Number.isFinite(to) || from === to)
    throw new UsageError(`${who}: got times from ${from} to ${to}, expected two different numbers`);
  if (after && !((after.t - from) * (after.t - to) <= 0))
    throw new UsageError(`${who}: got a state at ${after.t}, expected a time between ${from} and ${to}`);
}

/** Runs a step of a solver: no graph, and only what it returns is left. */
export const computed = <T>(engine: Engine, step: () => T): T => engine.noGrad(() => engine.scope(step));

export const copyOf = (state: State): State => state.map((part) => scale(part, 1));

/** A state that moves from step to step: it owns its tensors, and disposes them when the next ones come. */
export class MovingState {
  #now: State;

  constructor(start: State) {
    this.#now = owned(start);
  }

  get now(): State {
    return this.#now;
  }

  set now(next: State) {
    this.dispose();
    this.#now = owned(next);
  }

  dispose(): void {
    for (const part of this.#now) part.dispose();
  }
}

const owned = (state: State): State => state.map((part) => part.engine.untrack(part));
