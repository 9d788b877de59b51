import { cutLib, nextHeld, noneHeld, rowHeld } from "./held-fours.ts";
import { defineKernel, type Hardware, linearGroups, linearMain, type ParamType, unroll } from "./kernel.ts";

/*
 * The padded copy that convolutions by rows read: see conv2d.ts.
 *
 * | by    | a thread writes                               | taken                                        |
 * | vec   | a vec4                                        | GPUs                                         |
 * | lines | some lines, and reads x float by float        | CPU drivers, where x's neighbours part       |
 * | fours | some lines, and reads x as held-fours.ts does | CPU drivers, where they stay neighbours      |
 */

type By = "vec" | "lines" | "fours";
export type ConvPadVariant = {
  /** x's neighbours stand apart in the copy, zeros between. */
  stuffed: boolean;
  by: By;
};

/** Lines of a thread: finding its place takes a CPU driver some thirty divisions. */
const LINES = 16;
/** Threads of a workgroup that writes vec4s, and of one that writes lines. */
const threadsOf = (by: By): number => (by === "vec" ? 64 : 8);

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
const layout = {
  planes: "u32",
  height: "u32",
  width: "u32",
  lines: "u32",
  pitch: "u32",
  /** Rows and columns of the copy before x's first; negative crops. */
  top: "i32",
  left: "i32",
} as const;

/** Columns are dealt out over so many lines, by their place modulo this: a dilation becomes neighbours. */
const phases = { phases: "u32" } as const;

type Sizes = Record<"planes" | "height" | "width" | "lines" | "pitch", number>;

const threadsFor = ({ planes, lines, pitch }: Sizes, by: By): number =>
  by === "vec" ? (planes * lines * pitch) / 4 : Math.ceil((planes * lines) / LINES);

const bytesFor = ({ planes, height, width, lines, pitch }: Sizes): number =>
  4 * planes * (height * width + lines * pitch);

const given = (by: By) => (by === "fours" ? "read vec4f" : "read f32");
const libOf = ({ by }: { by: By }) => (by === "fours" ? [cutLib("vec4f")] : []);

/** How a copy is written: `k` ends the names of its arrays and its layout, `own` is the thread among those that write it. */
interface Copy {
  readonly k: "" | "0" | "1";
  readonly stuffed: boolean;
}

const copied = (by: By, copy: Copy): string => ({ vec: byVec, lines: byLines, fours: byFours })[by](copy);

export const convPad = defineKernel({
  name: "conv_pad",
  bindings: ({ by }: ConvPadVariant) => ({ x: given(by), y: "read_write vec4f" }) as const,
  params: {
    ...layout,
    /** x's neighbours stand this far apart in the copy. */
    stepY: "u32",
    stepX: "u32",
    ...phases,
  },
  lib: libOf,
  variants: [
    ...[true, false].flatMap((stuffed) =>
      (["vec", "lines"] as const).map((by): ConvPadVariant => ({ stuffed, by })),
    ),
    { stuffed: false, by: "fours" },
  ],
  main: ({ stuffed, by }) => `
    ${linearMain(threadsOf(by))}
      let own = thread;
      ${copied(by, { k: "", stuffed })}
    }`,
  dispatch: (p, { by }) => linearGroups(threadsFor(p, by), threadsOf(by)),
  cost: (p) => ({ bytes: bytesFor(p), flops: 0 }),
});

/** The layout of one of two copies. */
const layoutOf = <K extends "0" | "1">(k: K) =>
  Object.fromEntries(Object.entries(layout).map(([name, type]) => [`${name}${k}`, type])) as Record<
    `${keyof typeof layout}${K}`,
    ParamType
  >;

const sizesOf = <K extends "0" | "1">(p: Record<`${keyof Sizes}${K}`, number>, k: K): Sizes => ({
  planes: p[`planes${k}`],
  height: p[`height${k}`],
  width: p[`width${k}`],
  lines: p[`lines${k}`],
  pitch: p[`pitch${k}`],
});

/** Two copies, x0 -> y0 and x1 -> y1, of layouts of their own, dealt out alike, neighbours not apart. */
export const convPadPair = defineKernel({
  name: "conv_pad_pair",
  bindings: ({ by }: { by: By }) =>
    ({ x0: given(by), y0: "read_write vec4f", x1: given(by), y1: "read_write vec4f" }) as const,
  params: { ...layoutOf("0"), ...layoutOf("1"), ...phases },
  lib: libOf,
  variants: [{ by: "vec" }, { by: "lines" }, { by: "fours" }],
  main: ({ by }) => `
    ${linearMain(threadsOf(by))}
      let ahead = ${by === "vec" ? "p.planes0 * p.lines0 * p.pitch0 / 4u" : `(p.planes0 * p.lines0 + ${LINES - 1}u) / ${LINES}u`};
      if (thread < ahead) {
        let own = thread;
        ${copied(by, { k: "0", stuffed: false })}
      } else {
        let own = thread - ahead;
        ${copied(by, { k: "1", stuffed: false })}
      }
    }`,
  dispatch: (p, { by }) =>
    linearGroups(threadsFor(sizesOf(p, "0"), by) + threadsFor(sizesOf(p, "1"), by), threadsOf(by)),
  cost: (p) => ({ bytes: bytesFor(sizesOf(p, "0")) + bytesFor(sizesOf(p, "1")), flops: 0 }),
});

/** Columns `width` of x's row `base`, none where `row` is outside of it. */
const rowOf = ({ k, stuffed }: Copy) => `
      ${stuffed ? "let i = row / i32(p.stepY);" : "let i = row;"}
      let inside = row >= 0 && i < i32(p.height${k})${stuffed ? " && i * i32(p.stepY) == row" : ""};
      let base = i32(plane * p.height${k} * p.width${k}) + i * i32(p.width${k});
      let width = select(0, i32(p.width${k}), inside);`;

/** The v-th vec4 of a line, float by float. */
const gathered = ({ k, stuffed }: Copy) => `
        let column = i32(v * 4u * p.phases) + start;
        ${unroll(
          4,
          (q) => `
        let c${q} = column + ${q} * i32(p.phases);
        ${stuffed ? `let j${q} = c${q} / i32(p.stepX);` : `let j${q} = c${q};`}
        let in${q} = c${q} >= 0 && j${q} < width${stuffed ? ` && j${q} * i32(p.stepX) == c${q}` : ""};
        let v${q} = select(0.0, x${k}[select(0, base + j${q}, in${q})], in${q});`,
        )}
        y${k}[line * vecs + v] = vec4f(v0, v1, v2, v3);`;

/**
 * The same one after the other, without divisions: x's next column is `j` where `rest` is 0. Branches spare reads, which a
 * CPU driver does lane by lane.
 */
const walked = ({ k, stuffed }: Copy) => ({
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
          if (${stuffed ? "rest == 0 && " : ""}u32(j) < u32(width)) { v${q} = x${k}[base + j]; }
          ${stuffed ? "j += ahead; rest += surplus; { let wraps = rest >= step; rest -= select(0, step, wraps); j += select(0, 1, wraps); }" : "j += i32(p.phases);"}`,
          )}
          y${k}[line * vecs + v] = vec4f(v0, v1, v2, v3);`,
});

const byVec = (copy: Copy) => {
  const { k } = copy;
  return `
      let vecs = p.pitch${k} / 4u;
      let line = own / vecs;
      let plane = line / p.lines${k};
      if (plane >= p.planes${k}) { return; }
      let place = line % p.lines${k};
      let row = i32(place / p.phases) - p.top${k};
      let start = i32(place % p.phases) - p.left${k};
      ${rowOf(copy)}
      let v = own % vecs;
      {${gathered(copy)}
      }`;
};

const byLines = (copy: Copy) => {
  const { k, stuffed } = copy;
  const { begin, vec } = walked(copy);
  return `
      let vecs = p.pitch${k} / 4u;
      ${stuffed ? "let ahead = i32(p.phases / p.stepX); let surplus = i32(p.phases % p.stepX);" : ""}
      let first = own * ${LINES}u;
      var plane = first / p.lines${k};
      var place = first - plane * p.lines${k};
      var whole = place / p.phases;
      var phase = place - whole * p.phases;
      for (var line = first; line < min(first + ${LINES}u, p.planes${k} * p.lines${k}); line++) {
        let row = i32(whole) - p.top${k};
        let start = i32(phase) - p.left${k};
        ${rowOf(copy)}
        ${begin}
        for (var v = 0u; v < vecs; v++) {${vec}
        }
        phase++;
        if (phase == p.phases) { phase = 0u; whole++; }
        place++;
        if (place == p.lines${k}) { place = 0u; phase = 0u; whole = 0u; plane++; }
      }`;
};

const byFours = ({ k }: Copy) => `
      let vecs = p.pitch${k} / 4u;
      let first = own * ${LINES}u;
      var plane = first / p.lines${k};
      var place = first - plane * p.lines${k};
      ${noneHeld("vec4f")}
      for (var line = first; line < min(first + ${LINES}u, p.planes${k} * p.lines${k}); line++) {
        let row = i32(place) - p.top${k};
        let width = select(0u, p.width${k}, row >= 0 && row < i32(p.height${k}));
        let begin = i32(plane * p.height${k} * p.width${k}) + row * i32(p.width${k});
        let start = begin - p.left${k};
        ${rowHeld(`x${k}`)}
        for (var v = 0u; v < vecs; v++) {
          ${nextHeld(`x${k}`)}
          let column = vec4u(4u * v - u32(p.left${k})) + vec4u(0u, 1u, 2u, 3u);
          y${k}[line * vecs + v] = select(vec4f(), cut(a, held, start), column < vec4u(width));
        }
        place++;
        if (place == p.lines${k}) { place = 0u; plane++; }
      }`;
