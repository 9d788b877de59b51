import { describe, expect, test } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import { add, concat, mul, narrow, scale, square, sub } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { euler, type Field, heun, type OdeSolver, type Rk45Options, rk45 } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";

interface Problem {
  field: (y: Tensor, t: number) => Tensor;
  span: readonly [number, number];
  start: number[];
}

const rotation = (y: Tensor) => concat([narrow(y, 0, 1, 1), scale(narrow(y, 0, 0, 1), -1)], 0);

const problems = {
  decay: { field: (y) => scale(y, -1), span: [0, 5], start: [1, 2, 4] },
  oscillator: { field: rotation, span: [0, 10], start: [1, 0] },
  "oscillator, backwards": { field: rotation, span: [3, -3], start: [1, 0] },
  stiff: { field: (y, t) => scale(sub(y, Math.cos(t)), -50), span: [0, 2], start: [0] },
  "van der Pol": {
    field(y) {
      const [x, v] = [narrow(y, 0, 0, 1), narrow(y, 0, 1, 1)];
      return concat([v, sub(mul(scale(sub(1, square(x)), 5), v), x)], 0);
    },
    span: [0, 20],
    start: [2, 0],
  },
  still: { field: (y) => scale(y, 0), span: [0, 1], start: [1, 2] },
  "steep at its end": {
    field: (y, t) => add(scale(y, 0), 1 / (t + 1e-3)),
    span: [1, 0],
    start: [0],
  },
} as const satisfies Record<string, Problem>;
type Name = keyof typeof problems;

async function solve(solver: OdeSolver, { field, span: [from, to], start }: Problem) {
  using y = engine.tensor(start);
  const { state, nfe, times } = await solver(engine, {
    field: ([now], t) => [field(now!, t)],
    start: [y],
    from,
    to,
  });
  const end = [...(await state[0]!.data())];
  for (const part of state) part.dispose();
  return { end, nfe, times };
}

/**
 * What solve_ivp of SciPy 1.17.1 does in float64 with rtol = atol. No estimated error comes within 4 % of the limit, and
 * float32 moves it by 1e-7 of a step at most: so steps are refused and taken alike, and only the length of steps far
 * below the limit differs in its second digit.
 */
const published: readonly [
  Name,
  tolerance: number,
  { nfe: number; steps: number; first: number; end: number[]; sensitive?: true },
][] = [
  ["decay", 1e-3, { nfe: 38, steps: 6, first: 0.1084381, end: [0.00678973, 0.01357946, 0.02715892] }],
  ["decay", 1e-5, { nfe: 74, steps: 12, first: 0.04317, end: [0.0067386, 0.0134772, 0.0269544] }],
  ["oscillator", 1e-3, { nfe: 62, steps: 10, first: 0.1071773, end: [-0.83653956, 0.54983115] }],
  ["oscillator", 1e-5, { nfe: 146, steps: 24, first: 0.0426681, end: [-0.83902458, 0.54402894] }],
  ["oscillator, backwards", 1e-4, { nfe: 62, steps: 10, first: 2.9323757, end: [0.96012806, -0.2791125] }],
  ["stiff", 1e-3, { nfe: 230, steps: 37, first: 0.0001, end: [-0.39797596] }],
  ["stiff", 1e-4, { nfe: 278, steps: 44, first: 0.0001, end: [-0.39778108] }],
  ["van der Pol", 1e-4, { nfe: 788, steps: 106, first: 0.0342497, end: [-1.60121241, 0.19836442] }],
  ["still", 1e-3, { nfe: 44, steps: 7, first: 1e-6, end: [1, 2] }],
  ["steep at its end", 1e-4, { nfe: 170, steps: 19, first: 0.9999, end: [-6.90897338], sensitive: true }],
];

test.each(published)("rk45 goes as SciPy's: %s, tolerance %d", async (name, tolerance, expected) => {
  const { end, nfe, times } = await solve(rk45({ rtol: tolerance, atol: tolerance }), problems[name]);
  const [evaluations, steps] = expected.sensitive ? [12, 1] : [0, 0];
  expect(Math.abs(nfe - expected.nfe)).toBeLessThanOrEqual(evaluations);
  expect(Math.abs(times.length - 1 - expected.steps)).toBeLessThanOrEqual(steps);
  expect([times[0], times.at(-1)]).toEqual(problems[name].span);
  expect(times[1]).toBeCloseTo(expected.first, 6);
  for (const [i, value] of expected.end.entries())
    expect(Math.abs(end[i]! - value)).toBeLessThan(tolerance * (1 + Math.abs(value)));
});

test("rk45: the error falls with the tolerance, down to what float32 allows", async () => {
  const error = async (tolerance: number) => {
    const { end } = await solve(rk45({ rtol: tolerance, atol: tolerance }), problems.oscillator);
    return Math.hypot(end[0]! - Math.cos(10), end[1]! + Math.sin(10));
  };
  const [coarse, fine, finest] = [await error(1e-3), await error(1e-5), await error(3e-7)];
  expect(fine).toBeLessThan(coarse / 20);
  expect(finest).toBeLessThan(3e-6);
});

test("parts of a state are one state: the error is that of all elements together", async () => {
  const { field, span, start } = problems.decay;
  const whole = await solve(rk45(), problems.decay);
  using a = engine.tensor(start.slice(0, 1));
  using b = engine.tensor(start.slice(1));
  const parts: Field = (state) => state.map((part) => field(part));
  const { state, nfe, times } = await rk45()(engine, {
    field: parts,
    start: [a, b],
    from: span[0],
    to: span[1],
  });
  const ends = (await engine.readAll(state)).flatMap((values) => [...values]);
  for (const part of state) part.dispose();
  expect(nfe).toBe(whole.nfe);
  for (const [i, t] of whole.times.entries()) expect(times[i]).toBeCloseTo(t, 2);
  for (const [i, value] of whole.end.entries()) expect(ends[i]).toBeCloseTo(value, 5);
});

describe.each([
  ["euler", euler, 1],
  ["heun", heun, 2],
] as const)("%s", (name, method, order) => {
  const error = async (solver: OdeSolver) => {
    const { end } = await solve(solver, { ...problems.oscillator, span: [0, 2] });
    return Math.hypot(end[0]! - Math.cos(2), end[1]! + Math.sin(2));
  };

  test(`is of order ${order}, in the slope of the error against the step`, async () => {
    const slope = Math.log2((await error(method(32))) / (await error(method(64))));
    expect(Math.abs(slope - order)).toBeLessThan(0.1);
  });

  test("takes a grid of its own, forwards and backwards, and counts evaluations", async () => {
    const times = [0, 0.5, 0.75, 2];
    const own = await solve(method(times), { ...problems.oscillator, span: [0, 2] });
    expect(own.times).toEqual(times);
    expect(own.nfe).toBe(3 * order);
    const equal = await solve(method(4), { ...problems.oscillator, span: [1, 0] });
    expect(equal.times).toEqual([1, 0.75, 0.5, 0.25, 0]);
  });

  test.each([
    [0, `${name}: got 0 steps, expected a whole number from 1, or a list of times`],
    [1.5, `${name}: got 1.5 steps, expected a whole number from 1, or a list of times`],
    [[0], `${name}: got 1 times from 0 to 0, expected at least two from 0 to 10`],
    [[0, 9], `${name}: got 2 times from 0 to 9, expected at least two from 0 to 10`],
    [[0, 5, 5, 10], `${name}: got time 5 after 5, expected each nearer to 10 than the one before`],
    [[0, 11, 10], `${name}: got time 10 after 11, expected each nearer to 10 than the one before`],
  ])("refuses a grid of %j", async (grid, says) => {
    expect(await messageOf(async () => solve(method(grid), problems.oscillator))).toBe(says);
  });
});

describe("all solvers", () => {
  const solvers = { rk45: rk45(), euler: euler(8), heun: heun(8) };
  const { live } = engine.memory();

  test.each(Object.entries(solvers))(
    "%s reports each step, and awaits whoever listens",
    async (_, solver) => {
      const seen: number[][] = [];
      using y = engine.tensor([1, 0]);
      const { state, nfe, times } = await solver(engine, {
        field: ([now]) => [rotation(now!)],
        start: [y],
        from: 0,
        to: 1,
        async onStep({ t, done, nfe, state: [now] }) {
          const [x] = await now!.data();
          seen.push([t, done, nfe, x!]);
        },
      });
      expect(seen.map(([t]) => t)).toEqual(times.slice(1));
      expect(seen.map(([, done]) => done)).toEqual(times.slice(1).map((_, i) => i + 1));
      expect(seen.at(-1)![2]).toBe(nfe);
      for (const [t, , , x] of seen) expect(Math.abs(x! - Math.cos(t!))).toBeLessThan(0.06);
      expect([...(await y.data())], "the start is left as it is").toEqual([1, 0]);
      for (const part of state) part.dispose();
    },
  );

  test.each(Object.entries(solvers))("%s gives everything back when a listener throws", async (_, solver) => {
    const stop = () => {
      throw new Error("enough");
    };
    using y = engine.tensor([1, 0]);
    const field: Field = ([now]) => [rotation(now!)];
    await expect(solver(engine, { field, start: [y], from: 0, to: 1, onStep: stop })).rejects.toThrow(
      "enough",
    );
  });

  test.each(Object.entries(solvers))(
    "%s refuses a span without length and an empty state",
    async (name, solver) => {
      using y = engine.tensor([1, 0]);
      const run = (start: Tensor[], to: number) =>
        solver(engine, { field: () => expect.fail(), start, from: 1, to });
      expect(await messageOf(() => run([y], 1))).toBe(
        `${name}: got times from 1 to 1, expected two different numbers`,
      );
      expect(await messageOf(() => run([y], Number.NaN))).toBe(
        `${name}: got times from 1 to NaN, expected two different numbers`,
      );
      expect(await messageOf(() => run([], 2))).toBe(
        `${name}: got an empty state, expected at least one tensor`,
      );
    },
  );

  test("leave no memory behind", () => {
    expect(engine.memory().live).toBe(live);
  });
});

describe("rk45 refuses", () => {
  test.each([
    [{ rtol: 0 }, "rk45: got rtol 0, expected a positive number such as 1e-5"],
    [{ atol: -1 }, "rk45: got atol -1, expected a positive number such as 1e-5"],
    [{ atol: Number.NaN }, "rk45: got atol NaN, expected a positive number such as 1e-5"],
    [{ maxSteps: 0 }, "rk45: got maxSteps 0, expected a whole number from 1"],
  ] as [Rk45Options, string][])("%o", async (options, says) => {
    expect(await messageOf(async () => rk45(options))).toBe(says);
  });

  test("more steps than maxSteps", async () => {
    expect(await messageOf(() => solve(rk45({ maxSteps: 3 }), problems.decay))).toMatch(
      /^rk45: came from 0 to 0\.8\d* in 3 steps, expected to reach 5; raise rtol, atol or maxSteps$/,
    );
  });

  test("a tolerance below float32's resolution, and a field that ends in NaN", async () => {
    const steep: Problem = {
      field: (y, t) => (t > 0.5 ? scale(y, Number.NaN) : scale(y, -1)),
      span: [0, 1],
      start: [1],
    };
    const says =
      /^rk45: a step of .*e-\d+ from 0\.[45].* is not short enough for rtol 0\.00001 and atol 0\.00001; raise them/;
    expect(await messageOf(() => solve(rk45(), steep))).toMatch(says);
  });

  test("a start that is not finite", async () => {
    expect(await messageOf(() => solve(rk45(), { ...problems.decay, start: [1, Number.NaN] }))).toBe(
      "rk45: the state or its slope is not finite at 0; look for NaN in the start and the score",
    );
  });
});

async function messageOf(run: () => Promise<unknown>): Promise<string> {
  const fault = await run().catch((e: unknown) => e);
  expect(fault).toBeInstanceOf(UsageError);
  return (fault as Error).message;
}
