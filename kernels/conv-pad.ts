import { cutLib, nextHeld, noneHeld, rowHeld } from "./held-fours.ts";
import { defineKernel, type Hardware, linearGroups, linearMain, unroll } from "./kernel.ts";

/*
 * The padded copy that convolutions by rows read: see conv2d.ts.
 *
 * | by    | a thread writes                               | taken                                        |
 * | vec   | a vec4                                        | GPUs                                         |
 * | lines | some lines, and reads x float by float        | CPU drivers, where x's neighbours part       |
 * | fours | some lines, and reads x as held-fours.ts does | CPU drivers, where they stay neighbours      |
 */

type ConvPadVariant = {
  /** x's neighbours stand apart in the copy, zeros between. */
  stuffed: boolean;
  by: "vec" | "lines" | "fours";
};

/** Lines of a thread: finding its place takes a CPU driver some thirty divisions. */
const LINES = 16;
/** Threads of a workgroup that writes lines. */
const THREADS = 8;

/** The variant for neighbours that stand so far apart in the copy and are dealt out over so many lines. */
export function convPadVariant(
  { kind }: Hardware,
  { stepX, stepY, phases }: { stepX: number; stepY: number; phases: number },
): ConvPadVariant {
  const stuffed = stepX > 1 || stepY > 1;
  if (kind === "gpu") return { stuffed, by: "vec" };
  return { stuffed, by: stuffed || phases > 1 ? "lines" : "fours" };
}

/** How a padded copy is laid out. Lengths in elements; `lines` rows of `pitch` (a multiple of 4). */
export const convPad = defineKernel({
  name: "conv_pad",
  bindings: ({ by }: ConvPadVariant) =>
    ({ x: by === "fours" ? "read vec4f" : "read f32", y: "read_write vec4f" }) as const,
  params: {
    planes: "u32",
    height: "u32",
    width: "u32",
    lines: "u32",
    pitch: "u32",
    /** Rows and columns of the copy before x's first; negative crops. */
    top: "i32",
    left: "i32",
    /** x's neighbours stand this far apart in the copy. */
    stepY: "u32",
    stepX: "u32",
    /** Columns are dealt out over so many lines, by their place modulo this: a dilation becomes neighbours. */
    phases: "u32",
  },
  lib: ({ by }) => (by === "fours" ? [cutLib("vec4f")] : []),
  variants: [
    ...[true, false].flatMap((stuffed) =>
      (["vec", "lines"] as const).map((by): ConvPadVariant => ({ stuffed, by })),
    ),
    { stuffed: false, by: "fours" },
  ],
  main: ({ stuffed, by }: ConvPadVariant) => ({ vec: byVec, lines: byLines, fours: byFours })[by](stuffed),
  dispatch: ({ planes, lines, pitch }, { by }) =>
    by === "vec"
      ? linearGroups((planes * lines * pitch) / 4, 64)
      : linearGroups(planes * lines, LINES * THREADS),
  cost: ({ planes, height, width, lines, pitch }) => ({
    bytes: 4 * planes * (height * width + lines * pitch),
    flops: 0,
  }),
});

/** Columns `width` of x's row `base`, none where `row` is outside of it. */
const rowOf = (stuffed: boolean) => `
      ${stuffed ? "let i = row / i32(p.stepY);" : "let i = row;"}
      let inside = row >= 0 && i < i32(p.height)${stuffed ? " && i * i32(p.stepY) == row" : ""};
      let base = i32(plane * p.height * p.width) + i * i32(p.width);
      let width = select(0, i32(p.width), inside);`;

/** The v-th vec4 of a line, float by float. */
const gathered = (stuffed: boolean) => `
        let column = i32(v * 4u * p.phases) + start;
        ${unroll(
          4,
          (q) => `
        let c${q} = column + ${q} * i32(p.phases);
        ${stuffed ? `let j${q} = c${q} / i32(p.stepX);` : `let j${q} = c${q};`}
        let in${q} = c${q} >= 0 && j${q} < width${stuffed ? ` && j${q} * i32(p.stepX) == c${q}` : ""};
        let v${q} = select(0.0, x[select(0, base + j${q}, in${q})], in${q});`,
        )}
        y[line * vecs + v] = vec4f(v0, v1, v2, v3);`;

/**
 * The same one after the other, without divisions: x's next column is `j` where `rest` is 0. Branches spare reads, which a
 * CPU driver does lane by lane.
 */
const walked = (stuffed: boolean) => ({
  begin: stuffed
    ? `
        let step = i32(p.stepX);
        var j = select(start / step, -((step - 1 - start) / step), start < 0);
        var rest = start - j * step;`
    : "var j = start;",
  vec: `
          ${unroll(
            4,
            (q) => `
          var v${q} = 0.0;
          if (${stuffed ? "rest == 0 && " : ""}u32(j) < u32(width)) { v${q} = x[base + j]; }
          ${stuffed ? "j += ahead; rest += surplus; { let wraps = rest >= step; rest -= select(0, step, wraps); j += select(0, 1, wraps); }" : "j += i32(p.phases);"}`,
          )}
          y[line * vecs + v] = vec4f(v0, v1, v2, v3);`,
});

const byVec = (stuffed: boolean) => `
    ${linearMain(64)}
      let vecs = p.pitch / 4u;
      let line = thread / vecs;
      let plane = line / p.lines;
      if (plane >= p.planes) { return; }
      let place = line % p.lines;
      let row = i32(place / p.phases) - p.top;
      let start = i32(place % p.phases) - p.left;
      ${rowOf(stuffed)}
      let v = thread % vecs;
      {${gathered(stuffed)}
      }
    }`;

const byLines = (stuffed: boolean) => {
  const { begin, vec } = walked(stuffed);
  return `
    ${linearMain(THREADS)}
      let vecs = p.pitch / 4u;
      ${stuffed ? "let ahead = i32(p.phases / p.stepX); let surplus = i32(p.phases % p.stepX);" : ""}
      let first = thread * ${LINES}u;
      var plane = first / p.lines;
      var place = first - plane * p.lines;
      var whole = place / p.phases;
      var phase = place - whole * p.phases;
      for (var line = first; line < min(first + ${LINES}u, p.planes * p.lines); line++) {
        let row = i32(whole) - p.top;
        let start = i32(phase) - p.left;
        ${rowOf(stuffed)}
        ${begin}
        for (var v = 0u; v < vecs; v++) {${vec}
        }
        phase++;
        if (phase == p.phases) { phase = 0u; whole++; }
        place++;
        if (place == p.lines) { place = 0u; phase = 0u; whole = 0u; plane++; }
      }
    }`;
};

const byFours = () => `
    ${linearMain(THREADS)}
      let vecs = p.pitch / 4u;
      let first = thread * ${LINES}u;
      var plane = first / p.lines;
      var place = first - plane * p.lines;
      ${noneHeld("vec4f")}
      for (var line = first; line < min(first + ${LINES}u, p.planes * p.lines); line++) {
        let row = i32(place) - p.top;
        let width = select(0u, p.width, row >= 0 && row < i32(p.height));
        let begin = i32(plane * p.height * p.width) + row * i32(p.width);
        let start = begin - p.left;
        ${rowHeld}
        for (var v = 0u; v < vecs; v++) {
          ${nextHeld}
          let column = vec4u(4u * v - u32(p.left)) + vec4u(0u, 1u, 2u, 3u);
          y[line * vecs + v] = select(vec4f(), cut(a, held, start), column < vec4u(width));
        }
        place++;
        if (place == p.lines) { place = 0u; plane++; }
      }
    }`;
