import { components, type Hardware, range } from "./kernel.ts";

/** Which columns a tile of neighbouring outputs of one row sees. */
export type Span = {
  kw: number;
  strideX: number;
  dilationX: number;
  columns: number;
  /**
   * x stands as it is, in rows of whole vec4s, as many columns as come out: beyond its edges are zeros. Else it is a copy
   * whose rows have them, from the first column on that the tile sees.
   */
  bare: boolean;
};

export type Taps = Pick<Span, "kw" | "strideX" | "dilationX">;

/** Inputs of one row that `columns` outputs see. */
export const rowSpan = (v: Omit<Span, "bare">): number =>
  (v.columns - 1) * v.strideX + (v.kw - 1) * v.dilationX + 1;

/** Columns on each side of the middle tap. */
const sideOf = ({ kw, dilationX }: Taps): number => (dilationX * (kw - 1)) / 2;

/**
 * Whether tiles read x as it is: a CPU driver, whose lanes read float by float, reads no more so than of a copy that it would
 * have to make first.
 */
export const readsBare = (
  { kind }: Hardware,
  taps: Taps,
  { padding, width, outputs }: { padding: readonly number[]; width: number; outputs: number },
): boolean =>
  kind === "cpu" &&
  taps.strideX === 1 &&
  width % 4 === 0 &&
  width === outputs &&
  padding[0]! >= 0 &&
  padding[2] === sideOf(taps);

const vecOf = (at: number): number => Math.floor(at / 4);
const label = (vec: number): string => (vec < 0 ? `before${-vec}` : `${vec}`);

/** WGSL that reads what a tile sees of a row of x: vec4s, and of those beside a bare tile's own only one or two floats. */
export function readSpan(v: Span) {
  const first = v.bare ? -sideOf(v) : 0;
  const seen = range(rowSpan(v)).map((k) => first + k);
  const vecs = [...new Set(seen.map(vecOf))];
  const isOwn = (vec: number) => vec >= 0 && vec < v.columns / 4;
  const of = (vec: number) => seen.filter((at) => vecOf(at) === vec).map((at) => components[at & 3]!);
  const isWhole = (vec: number) => !v.bare || isOwn(vec) || of(vec).length > 2;
  /** Names of its variables, and what is read of it. */
  const parts = (vec: number): (readonly [name: string, component: string, type: string])[] =>
    isWhole(vec) ? [[label(vec), "", "vec4f"]] : of(vec).map((c) => [`${label(vec)}${c}`, `.${c}`, "f32"]);
  const every = vecs.flatMap(parts);
  const place = (vec: number) => (vec < 0 ? `- ${-vec}u` : `+ ${vec}u`);
  return {
    /** Of a bare x, once where the tile's first vec4 is known to be the `own`-th of `across`. */
    edges: (own: string, across: string): string =>
      vecs
        .filter((vec) => v.bare && vec !== 0)
        .map(
          (vec) =>
            `let in${label(vec)} = ${vec < 0 ? `${own} >= ${-vec}u` : `${own} + ${vec}u < ${across}`};`,
        )
        .join(" "),
    /** Variables of the row `name`, whose vec4 of the tile stands `at` there; of a bare x, if that is `there`. */
    read: (keyword: "let" | "var", name: string, at: string, there: string): string =>
      vecs
        .flatMap((vec) =>
          parts(vec).map(([part, component, type]) => {
            const read = `x[${at} ${place(vec)}]${component}`;
            const inside = vec === 0 ? there : `${there} & in${label(vec)}`;
            return `${keyword} ${name}_${part} = ${v.bare ? `select(${type}(), ${read}, ${inside})` : read};`;
          }),
        )
        .join(" "),
    /** What is known as the row `from` is known as the row `to`. */
    pass: (from: string, to: string): string =>
      every.map(([part]) => `${to}_${part} = ${from}_${part};`).join(" "),
    /** The k-th float of a row. */
    float: (name: string, k: number): string => {
      const [vec, component] = [vecOf(first + k), components[(first + k) & 3]];
      return `${name}_${label(vec)}${isWhole(vec) ? "." : ""}${component}`;
    },
  };
}
