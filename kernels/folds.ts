import { type Groups, type Hardware, linearGroups, linearMain } from "./kernel.ts";
import { elementType } from "./runs.ts";

/*
 * Kernels that join the elements of each row, some of them several times over.
 */

export type FoldVariant = {
  /**
   * One thread walks a row, for CPU drivers, where barriers are dear; or 64 that meet in a tree, or first by subgroups,
   * whose threads have neighbouring indices.
   */
  by: "thread" | "group" | "subgroup";
  /** By vec4s: the length of a row is a multiple of 4. */
  vec: boolean;
};

export const foldVariants: readonly FoldVariant[] = [
  { by: "thread", vec: false },
  { by: "thread", vec: true },
  { by: "group", vec: false },
  { by: "group", vec: true },
  { by: "subgroup", vec: false },
  { by: "subgroup", vec: true },
];

/** Whether a variant needs an adapter with subgroups. */
export const needsSubgroups = ({ by }: FoldVariant): boolean => by === "subgroup";

/** How many rows there are does not count: a sample's numbers may not depend on the batch around it, to the last bit. */
export function foldVariant(hw: Hardware, columns: number): FoldVariant {
  const vec = columns % 4 === 0;
  if (hw.kind === "gpu") return { by: hw.subgroups ? "subgroup" : "group", vec };
  return columns < 65536 ? { by: "thread", vec } : { by: "group", vec: false };
}

/** What is worth measuring for rows of so many elements: of each walker's ways the one that suits their length. */
export const foldWays = (hw: Hardware, columns: number): FoldVariant[] =>
  foldVariants.filter(({ by, vec }) => {
    const inFours = columns % 4 === 0 && (by === "thread" || hw.kind === "gpu");
    return vec === inFours && (by !== "subgroup" || hw.subgroups);
  });

/**
 * Head of a kernel over rows: `row` is known, and `length` and the first place `base` in vec4s where `vec`. `rows` and
 * `columns` are expressions; `part` is what threads meet with. A surplus group repeats the last row, for barriers
 * want all threads.
 */
export const eachRow = (
  { by, vec }: FoldVariant,
  { rows, columns, part = "f32" }: { rows: string; columns: string; part?: "f32" | "vec2f" },
): string => `
  ${by === "thread" ? "" : `var<workgroup> part: array<${part}, 64>;`}
  ${linearMain(64, by === "subgroup" ? "@builtin(subgroup_size) width: u32, @builtin(subgroup_invocation_id) place: u32" : "")}
    ${by !== "thread" ? `let row = min(group, ${rows} - 1u);` : `let row = thread; if (row >= ${rows}) { return; }`}
    let length = ${columns}${vec ? " / 4u" : ""};
    let base = row * length;`;

/** Runs `body` for the places `i` of the row that are this thread's. */
export const along = ({ by }: FoldVariant, body: string): string =>
  `for (var i = base${by === "thread" ? "" : " + lane"}; i < base + length; i += ${by === "thread" ? 1 : 64}u) { ${body} }`;

const joins = {
  sum: { of: "own + other", ofSubgroup: "subgroupAdd" },
  max: { of: "max(own, other)", ofSubgroup: "subgroupMax" },
};

/** Joins the values that the workgroup's threads have of the variable `name`. */
export const meet = (
  { by }: Pick<FoldVariant, "by">,
  name: string,
  join: keyof typeof joins = "sum",
  threads = 64,
): string =>
  ({
    thread: "",
    group: `
    workgroupBarrier();
    part[lane] = ${name};
    for (var half = ${threads / 2}u; half > 0u; half = half / 2u) {
      workgroupBarrier();
      if (lane < half) { let own = part[lane]; let other = part[lane + half]; part[lane] = ${joins[join].of}; }
    }
    workgroupBarrier();
    ${name} = part[0];`,
    subgroup: `
    ${name} = ${joins[join].ofSubgroup}(${name});
    workgroupBarrier();
    if (place == 0u) { part[lane / width] = ${name}; }
    workgroupBarrier();
    ${name} = part[0];
    for (var s = 1u; s * width < ${threads}u; s++) { let own = ${name}; let other = part[s]; ${name} = ${joins[join].of}; }`,
  })[by];

/** What one thread does for a row. */
export const once = ({ by }: Pick<FoldVariant, "by">, line: string): string =>
  by === "thread" ? line : `if (lane == 0u) { ${line} }`;

export const foldGroups = (rows: number, { by }: FoldVariant): Groups =>
  linearGroups(rows, by === "thread" ? 64 : 1);

/** WGSL of `sum` over what a place holds. */
export const sumOf = (vec: boolean) =>
  `fn sum(v: ${elementType(vec)}) -> f32 { return ${vec ? "(v.x + v.y) + (v.z + v.w)" : "v"}; }`;

/** The expression f of a place's lanes. */
export const lanewise = (vec: boolean, f: (lane: string) => string): string =>
  vec ? `vec4f(${[".x", ".y", ".z", ".w"].map(f).join(", ")})` : f("");
