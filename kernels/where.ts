import { defineLanewise, vecCounts } from "./lanewise.ts";

/** Bit by bit, for drivers may take NaN for 0. */
const isSet = "(bitcast<u32>(c) & 0x7fffffffu) != 0u";

/** z = x where c is not 0, else y; all of one shape. */
export const where = defineLanewise({
  name: "where",
  inputs: ["c", "x", "y"],
  output: "z",
  params: {},
  lib: () => [],
  variants: vecCounts.map((vecs) => ({ vecs })),
  expression: () => `select(y, x, ${isSet})`,
  flops: 1,
});

export type WhereNumberVariant = {
  /** Where x is taken: "set" where c is not 0, "unset" where it is. */
  x: "set" | "unset";
  vecs: number;
};

/** z = x on one side of c and a host number s on the other. */
export const whereNumber = defineLanewise({
  name: "where_number",
  inputs: ["c", "x"],
  output: "z",
  params: { s: "f32" },
  lib: () => [],
  variants: (["set", "unset"] as const).flatMap((x) =>
    vecCounts.map((vecs): WhereNumberVariant => ({ x, vecs })),
  ),
  expression: (v: WhereNumberVariant) =>
    v.x === "set" ? `select(p.s, x, ${isSet})` : `select(x, p.s, ${isSet})`,
  flops: 1,
});
