import { UsageError } from "../../engine/errors.ts";
import { combine } from "../../engine/ops/index.ts";
import { pacing } from "../pace.ts";
import { linspace } from "../sde/sde.ts";
import {
  computed,
  copyOf,
  type Field,
  MovingState,
  type OdeSolver,
  requireProblem,
  type State,
} from "./solver.ts";

/** Equal steps by their number, or the times at which steps end, from the span's beginning to its end. */
export type TimeGrid = number | readonly number[];

interface Method {
  readonly name: string;
  /** Evaluations of the field in one step. */
  readonly stages: number;
  step(field: Field, y: State, t: number, h: number): State;
}

/** y + h f(y, t). First order. Throws UsageError for a grid that does not lead from one end of the span to the other. */
export const euler = (grid: TimeGrid): OdeSolver =>
  onGrid(grid, {
    name: "euler",
    stages: 1,
    step: (field, y, t, h) => move(y, field(y, t), h),
  });

/** The mean of the slopes at both ends of an Euler step (Heun's method): second order. Throws as `euler`. */
export const heun = (grid: TimeGrid): OdeSolver =>
  onGrid(grid, {
    name: "heun",
    stages: 2,
    step(field, y, t, h) {
      const before = field(y, t);
      const after = field(move(y, before, h), t + h);
      return y.map((part, i) =>
        combine(part, [
          [h / 2, before[i]!],
          [h / 2, after[i]!],
        ]),
      );
    },
  });

const move = (y: State, slope: State, h: number): State =>
  y.map((part, i) => combine(part, [[h, slope[i]!]]));

function onGrid(grid: TimeGrid, { name, stages, step }: Method): OdeSolver {
  if (typeof grid === "number" && (!Number.isInteger(grid) || grid < 1))
    throw new UsageError(`${name}: got ${grid} steps, expected a whole number from 1, or a list of times`);
  return async (engine, problem) => {
    requireProblem(name, problem);
    const { field, start, from, to, after, onStep } = problem;
    if (typeof grid !== "number") requireGrid(name, grid, from, to);
    const times = typeof grid === "number" ? [...linspace(from, to, grid + 1).slice(0, -1), to] : grid;
    const behind = after?.done ?? 0;
    if (after && times[behind] !== after.t)
      throw new UsageError(
        `${name}: got a state at ${after.t} after ${behind} steps, expected ${times[behind] ?? `at most ${times.length - 1} steps`}`,
      );
    const y = new MovingState(computed(engine, () => copyOf(start)));
    const keepPace = pacing(engine);
    try {
      for (let done = behind + 1; done < times.length; done++) {
        const [t, next] = [times[done - 1]!, times[done]!];
        y.now = computed(engine, () => step(field, y.now, t, next - t));
        await keepPace();
        await onStep?.({ t: next, done, nfe: stages * done, state: y.now });
      }
      await engine.sync();
      return { state: y.now, nfe: stages * (times.length - 1), times: times.slice(behind) };
    } catch (fault) {
      y.dispose();
      throw fault;
    }
  };
}

function requireGrid(who: string, times: readonly number[], from: number, to: number): void {
  if (times.length < 2 || times[0] !== from || times.at(-1) !== to)
    throw new UsageError(
      `${who}: got ${times.length} times from ${times[0]} to ${times.at(-1)}, expected at least two from ${from} to ${to}`,
    );
  const bad = times.findIndex((t, i) => i > 0 && !((t - times[i - 1]!) * (to - from) > 0));
  if (bad >= 0)
    throw new UsageError(
      `${who}: got time ${times[bad]} after ${times[bad - 1]}, expected each nearer to ${to} than the one before`,
    );
}
