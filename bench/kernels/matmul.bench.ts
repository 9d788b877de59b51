import { type MatmulOptions, matmul } from "../../engine/ops/index.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, times } from "../inputs.ts";
import { type ByKind, bySize, type SizedCases } from "../sizes.ts";

type Layout = Pick<MatmulOptions, "transposeA" | "transposeB" | "biasAlong">;

interface Product {
  m: number;
  n: number;
  k: number;
  batch?: number;
}

/** C [m, n] = A B, operands that are to be read transposed lying so (and so packed first on a CPU driver); with `biasAlong` a bias. */
function product(name: string, full: Product, options: Layout = {}): Case {
  const { m, n, k, batch = 1 } = full;
  const small: Product = { m: 37, n: 45, k: 67, ...(full.batch && { batch: 3 }) };
  const sides = (rows: number, columns: number, swap = false, b?: number) => [
    ...(b ? [b] : []),
    ...(swap ? [columns, rows] : [rows, columns]),
  ];
  return {
    name,
    group: "matmul",
    bound: "compute",
    shape: `${full.batch ? `${batch} of ` : ""}${times([m, k])} by ${times([k, n])}`,
    bytes: 4 * batch * (m * k + k * n + m * n),
    flops: 2 * batch * m * n * k,
    ...sized(full, small, (engine, { m, n, k, batch }) => {
      const a = drawn(engine, sides(m, k, options.transposeA, batch), 1);
      const b = drawn(engine, sides(k, n, options.transposeB, batch), 2);
      if (!options.biasAlong) return matmul(a, b, options);
      const bias = drawn(engine, [options.biasAlong === "rows" ? m : n], 3);
      return matmul(a, b, { ...options, bias });
    }),
  };
}

const cube = (side: number): Product => ({ m: side, n: side, k: side });

/** The product whose rate convolutions are compared with. */
export const reference = product("matmul 512", cube(512));

/** Sides that only a GPU is asked for. */
const sizes: ByKind<readonly number[]> = { cpu: [], gpu: [2048, 4096] };

export const cases: SizedCases = bySize(sizes, (large) => [
  reference,
  product("matmul 512, A transposed", cube(512), { transposeA: true }),
  product("matmul 512, B transposed", cube(512), { transposeB: true }),
  product("matmul 512, a bias for each row", cube(512), { biasAlong: "rows" }),
  product("matmul 512, a bias for each column", cube(512), { biasAlong: "columns" }),
  product("matmul 16 x 256", { ...cube(256), batch: 16 }),
  product("matmul 1024", cube(1024)),
  ...large.map((side) => product(`matmul ${side}`, cube(side))),
]);
