import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";

/**
 * y [planes, lines, pitch] from x [planes, height, width], whose first element stands at row `top` and column `left` of
 * y's planes: where y is larger than x the rest is `bits`, where it is smaller x is cropped (top and left wrap in u32).
 * A thread writes a vec4 of y, wherever its lines end, and finds its place once. Element bits are copied as they are.
 */
export const windowCopy = defineKernel({
  name: "window_copy",
  bindings: { x: "read u32", y: "read_write vec4u" },
  params: {
    count: "u32",
    height: "u32",
    width: "u32",
    lines: "u32",
    pitch: "u32",
    top: "u32",
    left: "u32",
    bits: "u32",
  },
  variants: [{}],
  main: () => `
    // Where x's row for a line begins, and how many columns it has: none beside x.
    fn row_of(plane: u32, line: u32) -> vec2u {
      let row = line - p.top;
      return vec2u((plane * p.height + row) * p.width, select(0u, p.width, row < p.height));
    }
    ${linearMain(256)}
      let at = 4u * thread;
      if (at >= p.count) { return; }
      let lines = at / p.pitch;
      var column = at - lines * p.pitch;
      var plane = lines / p.lines;
      var line = lines - plane * p.lines;
      var row = row_of(plane, line);
      ${unroll(
        4,
        (q) => `
      let c${q} = column - p.left;
      let in${q} = c${q} < row.y;
      let v${q} = select(p.bits, x[select(0u, row.x + c${q}, in${q})], in${q});
      ${q < 3 ? next : ""}`,
      )}
      y[thread] = vec4u(v0, v1, v2, v3);
    }`,
  dispatch: ({ count }) => linearGroups(Math.ceil(count / 4), 256),
  cost: ({ count }) => ({ bytes: 8 * count, flops: 0 }),
});

const next = `column++;
      if (column == p.pitch) {
        column = 0u;
        line++;
        if (line == p.lines) { line = 0u; plane++; }
        row = row_of(plane, line);
      }`;
