import { defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";
import { eachFour, fourGroups, fourParams, putFours, type Turned } from "./winograd.ts";

/*
 * The gradient in the weight by the transforms of winograd.ts, F(2x2, 3x3) read backwards: with y = A^T (U V) A,
 *
 *   W = A dy A^T    of each tile dy of 2x2             winogradOutputGrad
 *   P = W V^T       for each of 16 places, over tiles  a matrix product, batch 16 times parts of the images: matmul.ts
 *   dg = G^T P G    of the sum over the parts          winogradWeightGrad
 */

/** Values of one column or row of A d from two of d. */
const gradRow = (i: number, d: (k: number) => string): string =>
  [d(0), `${d(0)} + ${d(1)}`, `${d(0)} - ${d(1)}`, `-${d(1)}`][i]!;

/** dy [n, co, oh, ow] -> W, as winogradInput writes V. */
export const winogradOutputGrad = defineKernel({
  name: "winograd_output_grad",
  bindings: ({ turned }: Turned) =>
    ({ dy: "read f32", w: turned ? "read_write f32" : "read_write vec4f" }) as const,
  params: { ...fourParams, co: "u32", oh: "u32", ow: "u32" },
  variants: [{ turned: false }, { turned: true }],
  main: ({ turned }: Turned) => `
    ${eachFour("p.co", turned)}
      let plane = ((p.first + image) * p.co + channel) * p.oh;
      ${unroll(2, (r) => `let y${r} = oh + ${r}u * p.dilationY; let line${r} = (plane + y${r}) * p.ow; let in${r} = kept && y${r} < p.oh;`)}
      ${unroll(
        8,
        (c) => `
      let x${c} = ow + ${c}u * p.dilationX;
      let within${c} = x${c} < p.ow;
      ${unroll(2, (r) => `let d${r}_${c} = select(0.0, dy[select(0u, line${r} + x${c}, in${r} && within${c})], in${r} && within${c});`)}
      ${unroll(4, (i) => `let t${i}_${c} = ${gradRow(i, (k) => `d${k}_${c}`)};`, " ")}`,
      )}
      ${unroll(4, (i) => {
        const fourOf = (first: number) => `vec4f(${range(4).map((q) => `t${i}_${first + 2 * q}`)})`;
        return `{
        let c0 = ${fourOf(0)}; let c1 = ${fourOf(1)};
        ${unroll(4, (j) =>
          putFours(
            "w",
            "p.co",
            turned,
            4 * i + j,
            gradRow(j, (k) => `c${k}`),
          ),
        )}
      }`;
      })}
    }`,
  dispatch: (p) => fourGroups(p, p.co),
  cost: ({ images, lines, fours, co }) => {
    const tiles = 4 * images * lines * fours * co;
    return { bytes: 4 * 20 * tiles, flops: 12 * tiles };
  },
});

/** Rows of G^T m from four of m. */
const weightGradRow = (i: number, m: (k: number) => string): string =>
  [`${m(0)} + 0.5 * (${m(1)} + ${m(2)})`, `0.5 * (${m(1)} - ${m(2)})`, `0.5 * (${m(1)} + ${m(2)}) + ${m(3)}`][
    i
  ]!;

/** P [parts, 16, co, ci], and where told the gradient of what came before -> dw [co, ci, 3, 3]. */
export const winogradWeightGrad = defineKernel({
  name: "winograd_weight_grad",
  bindings: { sums: "read f32", before: "read f32", dw: "read_write f32" },
  params: { parts: "u32", co: "u32", ci: "u32", useBefore: "u32" },
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      let size = p.co * p.ci;
      if (thread >= size) { return; }
      ${unroll(16, (k) => `var m${k >> 2}_${k & 3} = 0.0;`, " ")}
      for (var part = 0u; part < p.parts; part++) {
        let at = part * 16u * size + thread;
        ${unroll(16, (k) => `m${k >> 2}_${k & 3} += sums[at + ${k}u * size];`)}
      }
      ${unroll(3, (i) => unroll(4, (j) => `let t${i}_${j} = ${weightGradRow(i, (k) => `m${k}_${j}`)};`, " "))}
      ${unroll(3, (i) =>
        unroll(3, (j) => {
          const at = `thread * 9u + ${3 * i + j}u`;
          return `dw[${at}] = ${weightGradRow(j, (k) => `t${i}_${k}`)} + select(0.0, before[select(0u, ${at}, p.useBefore == 1u)], p.useBefore == 1u);`;
        }),
      )}
    }`,
  dispatch: ({ co, ci }) => linearGroups(co * ci, 64),
  cost: ({ parts, co, ci }) => ({
    bytes: 4 * (16 * parts + 9) * co * ci,
    flops: (16 * parts + 60) * co * ci,
  }),
});
