import { expect } from "vitest";
import { grad } from "../../engine/autograd.ts";
import type { OpEvent } from "../../engine/op.ts";
import { add, mul, sum } from "../../engine/ops/index.ts";
import type { Array64 } from "../../engine/oracle/array.ts";
import { sameShape, showShape } from "../../engine/shapes.ts";
import type { Dtype, HostData, Tensor } from "../../engine/tensor.ts";
import { normal } from "./draw.ts";
import { engine } from "./engine.ts";
import { expectNear, expectScalarNear, type Tolerance } from "./near.ts";

export interface OpCase extends Tolerance {
  readonly op: (...xs: Tensor[]) => Tensor;
  /** The same mathematics in float64 loops. */
  readonly oracle: (...xs: Array64[]) => Array64;
  readonly inputs: readonly Array64[];
  readonly seed: number;
  /** How often the op is differentiated; 2 if absent. */
  readonly derivatives?: 0 | 1 | 2;
}

/** Derivatives of a float64 function: no more than this is lost to float32, in units of the vectors' lengths. */
const FIRST = 2e-5;
/** A second derivative runs through the first one's rounded values, and through more ops. */
const SECOND = 1e-4;
const [STEP, MIXED_STEP] = [1e-5, 3e-4];

/**
 * Holds an op to its oracle f, with cotangent w and directions u, v drawn from the seed:
 *
 *   value    y = f(x), within the rounding of `near.ts`
 *   first    <dx, v> is d/de <w, f(x + e v)>, by central differences of the oracle, for one input after the other
 *   second   with S = <dx, v> over all inputs, <dS/dx, u> + <dS/dw, uw> is d2/dd de <w + d uw, f(x + d u + e v)>
 *   fused    the derivative by kernels of its own is that in ops
 *   frozen   with one input a variable and the others not, its gradient is the same; with none there is no graph
 *   memory   all of it given back
 *   oracles  every op that ran on the way, those of the derivatives too, agrees with the oracle it declares
 */
export async function checkOp(c: OpCase): Promise<void> {
  const { op, oracle, inputs, seed, derivatives = 2 } = c;
  const before = engine.memory().live;
  const expected = oracle(...inputs);
  const w = normal(expected.shape, seed + 1);
  const uw = normal(expected.shape, seed + 2);
  const v = inputs.map((x, i) => normal(x.shape, seed + 10 + i));
  const u = inputs.map((x, i) => normal(x.shape, seed + 20 + i));
  const alone = seed % inputs.length;

  const watch = seed % 3 === 0 ? new Watch() : undefined;
  const { y, first, unfused, second, single } = engine.scope(() => {
    const constants = inputs.map((x) => upload(x));
    const frozen = op(...constants);
    expect(frozen.requiresGrad, "an op of plain tensors has no graph").toBe(false);
    if (derivatives === 0) return { y: frozen, first: [], unfused: [], second: [], single: [] };

    const weight = engine.asVariable(upload(w));
    const xs = inputs.map((x) => engine.asVariable(upload(x)));
    watch?.start();
    const y = op(...xs);
    expect(y.shape, "shape").toEqual(expected.shape);
    const first = grad(y, xs, { cotangent: weight, retainGraph: true });
    const mixed = constants.map((x, i) => (i === alone ? xs[i]! : x));
    const single = grad(op(...mixed), [xs[alone]!], { cotangent: weight });
    if (derivatives === 1) return release({ y, first, unfused: [], second: [], single }, [weight, ...xs]);

    const unfused = grad(y, xs, { cotangent: weight, createGraph: true });
    const along = unfused.map((g, i) => sum(mul(g, upload(v[i]!))));
    const second = grad(
      along.reduce((a, b) => add(a, b)),
      [...xs, weight],
    );
    watch?.stop();
    return release({ y, first, unfused, second, single }, [weight, ...xs]);
  });
  watch?.stop();

  const all = [y, ...first, ...unfused, ...second, ...single];
  const [value, ...grads] = await engine.readAll(all);
  for (const t of all) t.dispose();
  await watch?.check();
  expect(engine.memory().live, "bytes in use afterwards").toBe(before);

  expectNear(value!, expected, c);
  const take = (n: number) => grads.splice(0, n);
  const [dx, dxUnfused, dS, dxSingle] = [
    take(first.length),
    take(unfused.length),
    take(second.length),
    take(single.length),
  ];
  dx.forEach((g, i) => {
    const along = (e: number) =>
      dot(w.data, oracle(...inputs.map((x, k) => (k === i ? axpy(e, v[i]!, x) : x))).data);
    const numeric = (along(STEP) - along(-STEP)) / (2 * STEP);
    expectScalarNear(
      dot(g, v[i]!.data),
      numeric,
      FIRST,
      norm(g) * norm(v[i]!.data),
      `derivative in input ${i}`,
    );
    if (dxUnfused.length > 0)
      expectAlike(dxUnfused[i]!, g, `derivative in input ${i} for differentiating again`);
    if (i === alone) expectAlike(dxSingle[0]!, g, `derivative in input ${i}, the others frozen`);
  });
  if (dS.length === 0) return;

  const directions = [...u, uw];
  const analytic = dS.reduce((total, g, i) => total + dot(g, directions[i]!.data), 0);
  const scale = dS.reduce((total, g, i) => total + norm(g) * norm(directions[i]!.data), 0);
  const at = (d: number, e: number) =>
    dot(axpy(d, uw, w).data, oracle(...inputs.map((x, i) => axpy(d, u[i]!, axpy(e, v[i]!, x)))).data);
  const h = MIXED_STEP;
  const numeric = (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4 * h * h);
  expectScalarNear(analytic, numeric, SECOND, scale, "second derivative");
}

/** A tensor of an oracle's array. */
export const upload = (x: Array64, dtype: Dtype = "f32"): Tensor =>
  engine.tensor([...x.data], x.shape, dtype);

/** An oracle's array of a tensor's values. */
export const fromHost = (data: ArrayLike<number>, shape: readonly number[]): Array64 => ({
  shape,
  data: Float64Array.from(data),
});

function release<T>(result: T, variables: readonly Tensor[]): T {
  for (const x of variables) engine.track(x);
  return result;
}

/** Two ways to one gradient: float32 apart, relative to the largest element. */
function expectAlike(got: HostData, other: HostData, what: string): void {
  expectNear(got, fromHost(other, [other.length]), { terms: 100, floor: 1e-6 }, what);
}

/** Ops as they run, each held to the oracle of its own declaration. */
class Watch {
  readonly #events: { event: OpEvent; tensors: (Tensor | undefined)[] }[] = [];

  start(): void {
    engine.observer = (event) => {
      this.#events.push({ event, tensors: [...event.inputs, event.y].map((t) => t?.alias()) });
    };
  }

  stop(): void {
    engine.observer = undefined;
  }

  async check(): Promise<void> {
    const all = this.#events.flatMap(({ tensors }) => tensors).filter((t) => t !== undefined);
    const read = await engine.readAll(all); // at once: under Deno every reading waits for 10 ms
    const values = new Map(all.map((t, i) => [t, read[i]!]));
    for (const t of all) t.dispose();
    for (const { event, tensors } of this.#events) {
      const arrays = tensors.map((t) => t && fromHost(values.get(t)!, t.shape));
      if (event.spec.oracle === "none") continue;
      const expected = event.spec.oracle(arrays.slice(0, -1), event.attrs);
      const y = arrays.at(-1)!;
      const what = `${event.spec.name} ${JSON.stringify(event.attrs)}`;
      if (!sameShape(expected.shape, y.shape))
        expect.fail(`${what}: shape ${showShape(y.shape)}, its oracle's ${showShape(expected.shape)}`);
      const sizes = arrays.map((a) => a?.data.reduce((top, x) => Math.max(top, Math.abs(x)), 0) ?? 0);
      expectNear(y.data, expected, { magnitude: 1 + sizes.reduce((a, b) => a + b), terms: 1000 }, what);
    }
  }
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
};
const norm = (a: ArrayLike<number>): number => Math.sqrt(dot(a, a));
const axpy = (e: number, v: Array64, x: Array64): Array64 => ({
  shape: x.shape,
  data: x.data.map((value, i) => value + e * v.data[i]!),
});
