import { type Binding, defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";
import {
  eachRun,
  elements,
  fourColumns,
  imageElement,
  ofRun,
  oneColumn,
  onSubgroups,
  putRun,
  runColumns,
  runCost,
  runGroups,
  runParams,
  type Tiled,
  type Transform,
  transformVariants,
  valueElement,
  winogradPlaces,
} from "./winograd.ts";
import { lanesGroups, outputGradByLanes } from "./winograd-lanes.ts";
import { winogradRows, winogradTileSizes } from "./winograd-matrices.ts";

/*
 * The gradient in the weight by the transforms of winograd.ts, F(m x m, 3 x 3) read backwards: with y = A^T (U V) A,
 *
 *   W = A dy A^T    of each tile dy of m x m                 winogradOutputGrad
 *   P = W V^T       for each of (m + 2)^2 places, over tiles a matrix product for each place and part of the images: matmul.ts
 *   dg = G^T P G    of the sum over the parts                winogradWeightGrad
 */

/** dy [n, co, oh, ow] -> W, as winogradInput writes V. */
export const winogradOutputGrad = defineKernel({
  name: "winograd_output_grad",
  bindings: (v: Transform): Record<"dy" | "w", Binding> => ({
    dy: `read ${imageElement(v)}`,
    w: `read_write ${valueElement(v)}`,
  }),
  params: { ...runParams, co: "u32", oh: "u32", ow: "u32" },
  ...onSubgroups,
  variants: [
    ...transformVariants,
    ...elements.map((by) => ({ tile: 4, turned: true, by, share: "lanes" }) as const),
  ],
  main: (v: Transform) => {
    const { tile, by, share } = v;
    if (share !== "none") return outputGradByLanes(by);
    const side = tile + 2;
    const row = winogradRows(tile).outputGrad;
    const columns = { array: "dy", rows: tile, width: "p.ow", side, row };
    const all = runColumns(tile, tile);
    return `
    ${eachRun("p.co", v)}
      let plane = ((p.first + image) * p.co + channel) * p.oh;
      ${unroll(tile, (r) => `let y${r} = oh + ${r}u * p.dilationY; let line${r} = (plane + y${r}) * p.ow; let in${r} = kept && y${r} < p.oh;`)}
      ${
        by === "fours"
          ? unroll(all / 4, (q) => fourColumns(columns, 4 * q, `ow + ${4 * q}u`))
          : unroll(all, (c) => oneColumn(columns, c, `ow + ${c}u * p.dilationX`))
      }
      ${unroll(
        side,
        (i) => `{
        ${unroll(tile, (k) => `let c${k} = ${ofRun(tile, i, k)};`, " ")}
        ${unroll(side, (j) =>
          putRun(
            "w",
            "p.co",
            v,
            side * i + j,
            row(j, (k) => `c${k}`),
          ),
        )}
      }`,
      )}
    }`;
  },
  dispatch: (p, v) => (v.share !== "none" ? lanesGroups(p, p.co) : runGroups(p, p.co, v.tile)),
  cost: (p, { tile }) => runCost(p, p.co, { tile, flops: tile === 2 ? 12 : 140 }),
});

/** P [parts, (m + 2)^2, co, ci], and where told the gradient of what came before -> dw [co, ci, 3, 3]. */
export const winogradWeightGrad = defineKernel({
  name: "winograd_weight_grad",
  bindings: { sums: "read f32", before: "read f32", dw: "read_write f32" },
  params: { parts: "u32", co: "u32", ci: "u32", useBefore: "u32" },
  variants: winogradTileSizes.map((tile) => ({ tile })),
  main: ({ tile }: Tiled) => {
    const side = tile + 2;
    const places = winogradPlaces(tile);
    const row = winogradRows(tile).weightGrad;
    const name = (k: number) => `m${Math.floor(k / side)}_${k % side}`;
    return `
    ${linearMain(64)}
      let size = p.co * p.ci;
      if (thread >= size) { return; }
      ${unroll(places, (k) => `var ${name(k)} = 0.0;`, " ")}
      for (var part = 0u; part < p.parts; part++) {
        let at = part * ${places}u * size + thread;
        ${unroll(places, (k) => `${name(k)} += sums[at + ${k}u * size];`)}
      }
      ${unroll(3, (i) => unroll(side, (j) => `let t${i}_${j} = ${row(i, (k) => `m${k}_${j}`)};`, " "))}
      ${unroll(3, (i) =>
        unroll(3, (j) => {
          const at = `thread * 9u + ${3 * i + j}u`;
          return `dw[${at}] = ${row(j, (k) => `t${i}_${k}`)} + select(0.0, before[select(0u, ${at}, p.useBefore == 1u)], p.useBefore == 1u);`;
        }),
      )}
    }`;
  },
  dispatch: ({ co, ci }) => linearGroups(co * ci, 64),
  cost: ({ parts, co, ci }, { tile }) => ({
    bytes: 4 * (winogradPlaces(tile) * parts + 9) * co * ci,
    flops: (winogradPlaces(tile) * parts + (tile === 2 ? 60 : 150)) * co * ci,
  }),
});
