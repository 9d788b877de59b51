import { common, LANES, ownLane } from "./broadcast.ts";
import { readSpan } from "./conv-span.ts";
import { type ConvRowsVariant, convVariants } from "./conv2d.ts";
import { defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";

type ConvWeightVariant = ConvRowsVariant & {
  /** Rows of the kernel that a thread sums at once: each loaded dy serves khs * kw taps. */
  khs: number;
  /** Those of them that see a line of x which the output row before has not seen: khs, or the stride that leads down. */
  fresh: number;
};

/** How a thread walks down x: with a stride of lines, or from one dilated line to the next, lines pass from row to row. */
export function freshRows(khs: number, strideY: number, dilationY: number): number {
  return strideY < khs && Math.min(strideY, dilationY) === 1 ? strideY : khs;
}

/**
 * Partial sums of dw, [splits, co, ci, kh, kw], from dy padded [n, co, oh, dyPitch] and x [n, ci, lines, pitch], padded or
 * bare: split s sums over images s, s + splits, ... Lanes are input channels and, where khs is less than kh, groups of
 * kernel rows. A thread goes down a strip of columns, and what it read of x serves the next output rows too: with a
 * dilation of d lines, those d apart.
 */
export const convWeightRows = defineKernel({
  name: "conv_weight_rows",
  bindings: { x: "read vec4f", dy: "read vec4f", dw: "read_write f32" },
  params: {
    n: "u32",
    ci: "u32",
    co: "u32",
    oh: "u32",
    lines: "u32",
    pitch: "u32",
    dyPitch: "u32",
    kh: "u32",
    strideY: "u32",
    dilationY: "u32",
    top: "u32",
    splits: "u32",
  },
  subgroups: ({ broadcast }) => broadcast,
  subgroupSize: ({ broadcast }) => (broadcast ? LANES : undefined),
  variants: convVariants().flatMap((v) =>
    (v.kw > 3 || v.kw === 1 ? [1] : [1, v.kw]).map(
      (khs): ConvWeightVariant => ({ ...v, khs, fresh: freshRows(khs, v.strideX, 1) }),
    ),
  ),
  main: (v: ConvWeightVariant) => {
    const span = readSpan(v);
    const dyLoads = v.columns / 4;
    const kept = v.khs - v.fresh;
    const taps = range(v.khs).flatMap((h) => range(v.kw).map((k) => [h, k] as const));
    const slopes = common({ name: "g", array: "dy", lines: v.rows, length: dyLoads, pitch: "dyPlane", ...v });
    const read = (keyword: "let" | "var", h: number): string => `
              let y${h} = y + ${h}u * p.dilationY;
              ${v.bare ? `let there${h} = y${h} < p.lines; let i${h} = plane + select(0u, y${h}, there${h}) * vecs;` : `let i${h} = plane + y${h} * vecs;`}
              ${span.read(keyword, `x${h}`, `i${h}`, `there${h}`)}`;
    return `
    ${linearMain(v.lanes, ownLane(v.broadcast))}
      let strips = p.kh / ${v.khs}u;
      let spots = p.ci * strips;
      let across = (spots + ${v.lanes - 1}u) / ${v.lanes}u;
      let blocks = (p.co + ${v.rows - 1}u) / ${v.rows}u;
      let mine = (group % across) * ${v.lanes}u + lane;
      let spot = min(mine, spots - 1u);
      let co = ((group / across) % blocks) * ${v.rows}u;
      let split = group / (across * blocks);
      if (split >= p.splits) { return; }
      let ci = spot / strips;
      let kh = (spot % strips) * ${v.khs}u;
      let vecs = p.pitch / 4u;
      let dyVecs = p.dyPitch / 4u;
      let dyPlane = p.oh * dyVecs;
      let apart = ${kept > 0 ? "select(1u, p.dilationY, p.strideY == 1u)" : "1u"};
      ${slopes.places}
      ${unroll(v.rows, (r) => taps.map(([h, k]) => `var s${r}_${h}_${k} = 0.0;`).join(" "))}
      for (var n = split; n < p.n; n += p.splits) {
        let slope = (n * p.co + co) * dyPlane;
        for (var t = 0u; t < dyVecs; t += ${dyLoads}u) {
          let plane = (n * p.ci + ci) * p.lines * vecs + t * ${v.strideX}u;
          ${span.edges("t", "vecs")}
          for (var first = 0u; first < apart; first++) {
            var y = first * p.strideY + kh * p.dilationY${v.bare ? " - p.top" : ""};
            var j = slope + first * dyVecs + t;
            ${unroll(kept, (h) => read("var", h))}
            for (var oh = first; oh < p.oh; oh += apart) {
              ${range(v.khs)
                .slice(kept)
                .map((h) => read("let", h))
                .join("\n")}
              ${slopes.read("j")}
              ${unroll(
                v.rows,
                (r) => `{
                ${unroll(v.columns, (c) => `let f${c} = ${slopes.float(r, c)};`, " ")}
                ${taps
                  .map(([h, k]) => {
                    const terms = range(v.columns).map(
                      (c) => `f${c} * ${span.float(`x${h}`, c * v.strideX + k * v.dilationX)}`,
                    );
                    return `s${r}_${h}_${k} += ${terms.join(" + ")};`;
                  })
                  .join("\n")}
              }`,
              )}
              ${unroll(kept, (h) => span.pass(`x${h + v.fresh}`, `x${h}`))}
              y += apart * p.strideY;
              j += apart * dyVecs;
            }
          }
        }
      }
      ${unroll(
        v.rows,
        (r) => `
      if (mine < spots && co + ${r}u < p.co) {
        let line = (((split * p.co + co + ${r}u) * p.ci + ci) * p.kh + kh) * ${v.kw}u;
        ${taps.map(([h, k]) => `dw[line + ${h * v.kw + k}u] = s${r}_${h}_${k};`).join(" ")}
      }`,
      )}
    }`;
  },
  dispatch: ({ ci, co, kh, splits }, v) =>
    linearGroups(Math.ceil((ci * kh) / v.khs / v.lanes) * Math.ceil(co / v.rows) * splits, 1),
  cost: ({ n, ci, co, oh, lines, pitch, dyPitch, kh, splits }, v) => ({
    bytes: 4 * (n * ci * lines * pitch + n * co * oh * dyPitch + splits * ci * co * kh * v.kw),
    flops: 2 * n * co * oh * dyPitch * ci * kh * v.kw,
  }),
});
