import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { abs, add, combine, div, maximum, scale, square, sub, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import {
  computed,
  copyOf,
  type Field,
  MovingState,
  type OdePoint,
  type OdeProblem,
  type OdeSolver,
  requireProblem,
  type State,
} from "./solver.ts";

export interface Rk45Options {
  /**
   * A step's estimated error may be atol + rtol |y|, in the root mean square over all elements of the state. 1e-5 each
   * unless told, as the published samplers; a float32 state cannot be held to a relative error much below 1e-6.
   */
  rtol?: number;
  atol?: number;
  /** Throw after so many steps, refused ones counted. 10,000 unless told. */
  maxSteps?: number;
}

// The pair of Dormand & Prince 1980: stage s at t + C[s] h starts from y + h sum_j A[s][j] k_j. The last row of A is the
// step itself, of order 5, so that its slope is the next step's first. E: the difference to the step of order 4.
const C = [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1];
const A = [
  [],
  [1 / 5],
  [3 / 40, 9 / 40],
  [44 / 45, -56 / 15, 32 / 9],
  [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
  [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
  [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
];
const E = [71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40];

/** Order of the estimate, whose error falls as h^(ESTIMATE + 1). */
const ESTIMATE = 4;
const SAFETY = 0.9;
const [MIN_FACTOR, MAX_FACTOR] = [0.2, 10];

/**
 * The Runge-Kutta method of Dormand & Prince 1980 of orders 5(4), each step's length by the estimated error of the one
 * before: the control of Hairer, Norsett & Wanner 1993, section II.4, with the numbers of SciPy's solve_ivp, so that
 * evaluations can be compared. The state stays on the device; one number is read after each step. Throws UsageError
 * for tolerances out of range, and on the way where no step is short enough or `maxSteps` do not suffice.
 */
export function rk45({ rtol = 1e-5, atol = 1e-5, maxSteps = 10_000 }: Rk45Options = {}): OdeSolver {
  const tolerance = { rtol, atol };
  for (const [name, value] of Object.entries(tolerance))
    if (!(value > 0 && Number.isFinite(value)))
      throw new UsageError(`rk45: got ${name} ${value}, expected a positive number such as 1e-5`);
  if (!Number.isInteger(maxSteps) || maxSteps < 1)
    throw new UsageError(`rk45: got maxSteps ${maxSteps}, expected a whole number from 1`);

  return async (engine, problem) => {
    requireProblem("rk45", problem);
    const { start, from, to, onStep } = problem;
    const after = requireLength(problem);
    let nfe = after?.nfe ?? 0;
    const field: Field = (state, t) => {
      nfe++;
      return problem.field(state, t);
    };
    const direction = Math.sign(to - from);
    const y = new MovingState(computed(engine, () => copyOf(start)));
    const slope = new MovingState([]);
    try {
      let t = after?.t ?? from;
      // The slope of a step's end was counted with that step.
      slope.now = computed(engine, () => (after ? problem.field : field)(y.now, t));
      const times = [t];
      let length =
        after?.length ?? (await firstLength(engine, field, y.now, slope.now, { from, to, tolerance }));
      let done = after?.done ?? 0;
      let refused = false;
      for (let tried = 0; t !== to; tried++) {
        const shortest = 10 * spacing(t);
        if (refused && length < shortest) throw tooShort(t, length, tolerance);
        if (tried === maxSteps) throw tooMany(maxSteps, from, t, to);
        const ahead = t + direction * Math.max(length, shortest);
        const next = direction * (ahead - to) > 0 ? to : ahead;
        const h = next - t;
        const trial = computed(engine, () => step(field, y.now, slope.now, [t, next], tolerance));
        const error = await rootMeanSquare(trial.squares, y.now);
        const factor = error === 0 ? MAX_FACTOR : SAFETY * error ** (-1 / (ESTIMATE + 1));
        if (error < 1) {
          length = Math.abs(h) * Math.min(refused ? 1 : MAX_FACTOR, factor);
          refused = false;
          y.now = trial.y;
          slope.now = trial.slope;
          times.push((t = next));
          await onStep?.({ t, done: ++done, nfe, length, state: y.now });
        } else {
          length = Math.abs(h) * (factor > MIN_FACTOR ? factor : MIN_FACTOR); // of an error that is NaN too
          refused = true;
          for (const part of [...trial.y, ...trial.slope]) part.dispose();
        }
      }
      return { state: y.now, nfe, times };
    } catch (fault) {
      y.dispose();
      throw fault;
    } finally {
      slope.dispose();
    }
  };
}

/** Throws UsageError for a point that does not say how long the next step is. */
function requireLength({ after }: OdeProblem): (OdePoint & { length: number }) | undefined {
  if (!after) return undefined;
  const { length = Number.NaN } = after;
  if (length > 0) return { ...after, length };
  throw new UsageError(`rk45: got a state at ${after.t} with next length ${length}, expected a positive one`);
}

/**
 * One step from y with the slope there: the state after it, the slope there, and the error's weighed squares. Slopes are
 * summed before they meet y, so that a step rounds the float32 state once.
 */
function step(field: Field, y: State, slope: State, [t, next]: [number, number], tolerance: Tolerance) {
  const { engine } = y[0]!;
  const h = next - t;
  const slopes = [slope];
  const along = (part: Tensor, i: number, weights: readonly number[]) =>
    combine(
      part,
      weights.flatMap((w, j) => (w === 0 ? [] : [[h * w, slopes[j]![i]!] as const])),
    );
  let after = y;
  for (let stage = 1; stage < C.length; stage++) {
    const last = stage === C.length - 1;
    const reach = () => y.map((part, i) => along(part, i, A[stage]!));
    if (last) after = reach();
    const time = C[stage] === 1 ? next : t + C[stage]! * h; // t + h may round to a neighbour of it
    slopes.push(engine.scope(() => field(last ? after : reach(), time)));
  }
  const error = slope.map((k, i) => along(scale(k, h * E[0]!), i, [0, ...E.slice(1)]));
  return { y: after, slope: slopes.at(-1)!, squares: weighedSquares(error, y, after, tolerance) };
}

/** A step length from the sizes of y, of its slope and of the slope's change along a trial Euler step. */
async function firstLength(
  engine: Engine,
  field: Field,
  y: State,
  slope: State,
  { from, to, tolerance }: { from: number; to: number; tolerance: Tolerance },
): Promise<number> {
  const span = Math.abs(to - from);
  const rms = (values: () => State) =>
    rootMeanSquare(
      computed(engine, () => weighedSquares(values(), y, y, tolerance)),
      y,
    );
  const [size, speed] = await Promise.all([rms(() => y), rms(() => slope)]);
  const trial = Math.min(size < 1e-5 || speed < 1e-5 ? 1e-6 : (0.01 * size) / speed, span);
  const h = Math.sign(to - from) * trial;
  const change = await rms(() => {
    const ahead = y.map((part, i) => combine(part, [[h, slope[i]!]]));
    return field(ahead, from + h).map((k, i) => sub(k, slope[i]!));
  });
  const fastest = Math.max(speed, change / trial);
  if (!Number.isFinite(fastest + size))
    throw new UsageError(
      `rk45: the state or its slope is not finite at ${from}; look for NaN in the start and the score`,
    );
  const length = fastest <= 1e-15 ? Math.max(1e-6, trial * 1e-3) : (0.01 / fastest) ** (1 / (ESTIMATE + 1));
  return Math.min(100 * trial, length, span);
}

type Tolerance = { readonly rtol: number; readonly atol: number };

/** The sum over all elements of (value / (atol + rtol max(|a|, |b|)))^2, []. */
function weighedSquares(values: State, a: State, b: State, { rtol, atol }: Tolerance): Tensor {
  const parts = values.map((value, i) => {
    const size = a === b ? abs(a[i]!) : maximum(abs(a[i]!), abs(b[i]!));
    return sum(square(div(value, add(scale(size, rtol), atol))));
  });
  return parts.reduce((x, y) => add(x, y));
}

/** From the sum of squares over a state; disposes it. */
async function rootMeanSquare(squares: Tensor, state: State): Promise<number> {
  const total = await squares.item();
  squares.dispose();
  return Math.sqrt(total / state.reduce((n, part) => n + part.size, 0));
}

/** From t to the next float32, the numbers in which a field is told its time. */
const spacing = (t: number): number => 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(t)))) - 23);

const tooMany = (steps: number, from: number, t: number, to: number) =>
  new UsageError(
    `rk45: came from ${from} to ${t} in ${steps} steps, expected to reach ${to}; raise rtol, atol or maxSteps`,
  );

const tooShort = (t: number, length: number, { rtol, atol }: Tolerance) =>
  new UsageError(
    `rk45: a step of ${length.toExponential(1)} from ${t} is not short enough for rtol ${rtol} and atol ${atol}; ` +
      "raise them, or look for a score that is not finite",
  );
