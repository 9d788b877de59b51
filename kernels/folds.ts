import { type Groups, type Hardware, linearGroups, linearMain } from "./kernel.ts";
import { elementType } from "./runs.ts";

/*
 * Kernels that join the elements of each row, some of them several times over.
 */

export type FoldVariant = {
  /** One thread walks a row, for CPU drivers, where barriers are dear; or 64 that meet in a tree. */
  by: "thread" | "group";
  /** By vec4s: the length of a row is a multiple of 4. */
  vec: boolean;
};

export const foldVariants: readonly FoldVariant[] = [
  { by: "thread", vec: false },
  { by: "thread", vec: true },
  { by: "group", vec: false },
];

/** How many rows there are does not count: a sample's numbers may not depend on the batch around it, to the last bit. */
export function foldVariant(hw: Hardware, columns: number): FoldVariant {
  const byThread = hw.kind === "cpu" && columns < 65536;
  return { by: byThread ? "thread" : "group", vec: byThread && columns % 4 === 0 };
}

/** What is worth measuring for rows of so many elements. */
export const foldWays = (hw: Hardware, columns: number): FoldVariant[] =>
  foldVariants.filter(({ by, vec }) =>
    vec ? columns % 4 === 0 : by === "group" || columns % 4 > 0 || hw.kind === "gpu",
  );

/**
 * Head of a kernel over rows: `row` is known, and `length` and the first place `base` in vec4s where `vec`. `rows` and
 * `columns` are expressions; `part` is what threads meet with. A surplus group repeats the last row, for barriers
 * want all threads.
 */
export const eachRow = (
  { by, vec }: FoldVariant,
  { rows, columns, part = "f32" }: { rows: string; columns: string; part?: "f32" | "vec2f" },
): string => `
  ${by === "group" ? `var<workgroup> part: array<${part}, 64>;` : ""}
  ${linearMain(64)}
    ${by === "group" ? `let row = min(group, ${rows} - 1u);` : `let row = thread; if (row >= ${rows}) { return; }`}
    let length = ${columns}${vec ? " / 4u" : ""};
    let base = row * length;`;

/** Runs `body` for the places `i` of the row that are this thread's. */
export const along = ({ by }: FoldVariant, body: string): string =>
  `for (var i = base${by === "group" ? " + lane" : ""}; i < base + length; i += ${by === "group" ? 64 : 1}u) { ${body} }`;

/** Joins the threads' values of the variable `name`: `join` of `own` and `other`. */
export const meet = ({ by }: FoldVariant, name: string, join = "own + other"): string =>
  by === "thread"
    ? ""
    : `
    workgroupBarrier();
    part[lane] = ${name};
    for (var half = 32u; half > 0u; half = half / 2u) {
      workgroupBarrier();
      if (lane < half) { let own = part[lane]; let other = part[lane + half]; part[lane] = ${join}; }
    }
    workgroupBarrier();
    ${name} = part[0];`;

/** What one thread does for a row. */
export const once = ({ by }: FoldVariant, line: string): string =>
  by === "group" ? `if (lane == 0u) { ${line} }` : line;

export const foldGroups = (rows: number, { by }: FoldVariant): Groups =>
  linearGroups(rows, by === "group" ? 1 : 64);

/** WGSL of `sum` over what a place holds. */
export const sumOf = (vec: boolean) =>
  `fn sum(v: ${elementType(vec)}) -> f32 { return ${vec ? "(v.x + v.y) + (v.z + v.w)" : "v"}; }`;

/** The expression f of a place's lanes. */
export const lanewise = (vec: boolean, f: (lane: string) => string): string =>
  vec ? `vec4f(${[".x", ".y", ".z", ".w"].map(f).join(", ")})` : f("");
