import { cutLib, nextHeld, noneHeld, rowHeld } from "./held-fours.ts";
import { defineKernel, linearGroups, linearMain, unroll } from "./kernel.ts";

type WindowVariant = {
  /** A thread writes a vec4, or some lines, by vec4s that it reads as held-fours.ts does: for CPU drivers and many lines. */
  by: "vec" | "lines";
};

/** Lines of a thread: a multiple of 4, so that threads' vec4s do not meet. */
const LINES = 16;
/** Threads of a workgroup that writes lines. */
const THREADS = 8;

/**
 * y [planes, lines, pitch] from x [planes, height, width], whose first element stands at row `top` and column `left` of
 * y's planes: where y is larger than x the rest is `bits`, where it is smaller x is cropped (top and left wrap in u32).
 * y's vec4s are written wherever its lines end. Element bits are copied as they are.
 */
export const windowCopy = defineKernel({
  name: "window_copy",
  bindings: ({ by }: WindowVariant) =>
    ({ x: by === "vec" ? "read u32" : "read vec4u", y: "read_write vec4u" }) as const,
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
  lib: ({ by }) => (by === "lines" ? [cutLib("vec4u")] : []),
  variants: [{ by: "vec" }, { by: "lines" }] as WindowVariant[],
  main: ({ by }) => (by === "vec" ? byVec : byLines),
  dispatch: ({ count, pitch }, { by }) =>
    by === "vec" ? linearGroups(Math.ceil(count / 4), 256) : linearGroups(count / pitch, LINES * THREADS),
  cost: ({ count }) => ({ bytes: 8 * count, flops: 0 }),
});

const next = `column++;
      if (column == p.pitch) {
        column = 0u;
        line++;
        if (line == p.lines) { line = 0u; plane++; }
        row = row_of(plane, line);
      }`;

const byVec = `
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
    }`;

/** What of a vec4 belongs to the line before is `pending` until this one has come to it. */
const byLines = `
    ${linearMain(THREADS)}
      let first = thread * ${LINES}u;
      let last = min(first + ${LINES}u, p.count / p.pitch);
      var plane = first / p.lines;
      var place = first - plane * p.lines;
      var here = first * p.pitch;
      var pending = vec4u();
      ${noneHeld("vec4u")}
      for (var line = first; line < last; line++) {
        let row = place - p.top;
        let width = select(0u, p.width, row < p.height);
        let begin = i32((plane * p.height + row) * p.width);
        let start = begin + i32((here & ~3u) - (here + p.left));
        let end = here + p.pitch;
        ${rowHeld}
        for (var v = here / 4u; 4u * v < end; v++) {
          ${nextHeld}
          let places = vec4u(4u * v) + vec4u(0u, 1u, 2u, 3u);
          let own = select(vec4u(p.bits), cut(a, held, start), places - vec4u(here + p.left) < vec4u(width));
          pending = select(pending, own, places >= vec4u(here));
          if (4u * v + 4u <= end) { y[v] = pending; }
        }
        here = end;
        place++;
        if (place == p.lines) { place = 0u; plane++; }
      }
      if (first < last && here % 4u != 0u) { y[here / 4u] = pending; }
    }`;
