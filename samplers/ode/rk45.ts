import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { abs, add, combine, div, maximum, scale, square, sub, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type Field, MovingState, type OdeProblem, type OdeSolver, requireProblem, type State } from "./solver.ts";

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
    const { from, to, onStep } = problem;
    const direction = Math.sign(to - from);
    const run = new Run(engine, problem, tolerance);
    try {
      let t = from;
      let length = await run.firstLength();
      const times = [from];
      let refused = false;
      for (let tried = 1; t !== to; tried++) {
        const shortest = 10 * spacing(t);
        if (refused && !(length >= shortest)) throw tooShort(t, length, tolerance);
        if (tried > maxSteps)
          throw new UsageError(
            `rk45: came from ${from} to ${t} in ${maxSteps} steps, expected to reach ${to}; raise rtol, atol or maxSteps`,
          );
        const ahead = t + direction * Math.max(length, shortest);
        const next = direction * (ahead - to) > 0 ? to : ahead;
        const error = await run.attempt(t, next - t);
        const wanted = error === 0 ? MAX_FACTOR : SAFETY * error ** (-1 / (ESTIMATE + 1));
        if (error < 1) {
          length = Math.abs(next - t) * Math.min(refused ? 1 : MAX_FACTOR, wanted);
          run.accept();
          times.push((t = next));
          await onStep?.({ t, done: times.length - 1, nfe: run.nfe, state: run.state });
        } else length = Math.abs(next - t) * (wanted > MIN_FACTOR ? wanted : MIN_FACTOR); // NaN: not a number of use
        refused = !(error < 1);
      }
      return { state: run.release(), nfe: run.nfe, times };
    } catch (fault) {
      run.release().forEach((part) => void part.dispose());
      throw fault;
    }
  };
}

/** The state, its slope, and the step under trial. */
class Run {
  nfe = 0;
  readonly #engine: Engine;
  readonly #field: Field;
  readonly #problem: OdeProblem;
  readonly #tolerance: Tolerance;
  readonly #size: number;
  readonly #y: MovingState;
  /** dy/dt where y is. */
  readonly #slope: MovingState;
  #trial: { y: State; slope: State } | undefined;
}
