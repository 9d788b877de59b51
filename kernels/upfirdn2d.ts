import { LANES, ownLane } from "./broadcast.ts";
import { components, defineKernel, linearGroups, linearMain, range, unroll } from "./kernel.ts";
import { elementType } from "./runs.ts";

/**
 * Zeros stuffed to `up`, padded (negative: cropped), filtered, every `down`-th kept. x [planes, height, width] ->
 * y [planes, oh, ow]. Only the taps that meet a real input are visited. The filter is flipped first, as a true
 * convolution asks, unless `flip` is 0: the adjoint is this kernel again with up and down swapped and no flip.
 */
export const upfirdn2d = defineKernel({
  name: "upfirdn2d",
  bindings: { x: "read f32", filter_: "read f32", y: "read_write f32" },
  params: {
    planes: "u32",
    height: "u32",
    width: "u32",
    oh: "u32",
    ow: "u32",
    kh: "u32",
    kw: "u32",
    upY: "i32",
    upX: "i32",
    downY: "i32",
    downX: "i32",
    top: "i32",
    left: "i32",
    flip: "u32",
  },
  variants: [{}],
  main: () => `
    // First tap that falls on a real input: k with (start + k) divisible by up.
    fn first(start: i32, up: i32) -> i32 { return (up - (start % up + up) % up) % up; }
    ${linearMain(64)}
      if (thread >= p.planes * p.oh * p.ow) { return; }
      let y0 = i32(thread / p.ow % p.oh) * p.downY - p.top;
      let x0 = i32(thread % p.ow) * p.downX - p.left;
      let base = i32(thread / p.ow / p.oh * p.height * p.width);
      var total = 0.0;
      for (var a = first(y0, p.upY); a < i32(p.kh); a += p.upY) {
        let i = (y0 + a) / p.upY;
        if (y0 + a >= 0 && i < i32(p.height)) {
          let row = select(a, i32(p.kh) - 1 - a, p.flip == 1u) * i32(p.kw);
          for (var b = first(x0, p.upX); b < i32(p.kw); b += p.upX) {
            let j = (x0 + b) / p.upX;
            if (x0 + b >= 0 && j < i32(p.width)) {
              total += filter_[row + select(b, i32(p.kw) - 1 - b, p.flip == 1u)] * x[base + i * i32(p.width) + j];
            }
          }
        }
      }
      y[thread] = total;
    }`,
  dispatch: ({ planes, oh, ow }) => linearGroups(planes * oh * ow, 64),
  cost: ({ planes, height, width, oh, ow, kh, kw, upY, upX }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: (2 * planes * oh * ow * kh * kw) / (upY * upX),
  }),
});

/** Along lines: by how much they are stretched and thinned, and how long the filter is. */
type TileVariant = {
  up: number;
  down: number;
  taps: number;
  /** Which tap meets the first real input. */
  phase: number;
  /** Outputs of a thread, multiples of up / gcd(up, down), so that every tile meets its inputs with the same taps. */
  rows: number;
  columns: number;
  /** Results are stored by vec4s: their lines and `columns` are multiples of 4. Neighbouring threads then fill whole lines. */
  vec: boolean;
  /**
   * Lines are read by vec4s, the first of which begins so many places before the tile's first input; -1: number by number.
   * For up 1, where lines and columns * down are multiples of 4: neighbouring threads share the vec4s that both see.
   */
  lead: number;
  /** A lane reads a tap of a line, of which there are no more than lanes, and the others have it: see broadcast.ts. */
  broadcast: boolean;
};

/** Filters and factors the networks use and odd ones beside them; others compile on demand. */
const alone: readonly Omit<TileVariant, "broadcast">[] = [
  { up: 1, down: 1, taps: 4, phase: 0, rows: 2, columns: 8, vec: false, lead: -1 },
  { up: 2, down: 1, taps: 4, phase: 0, rows: 2, columns: 8, vec: false, lead: -1 },
  { up: 2, down: 1, taps: 4, phase: 1, rows: 2, columns: 8, vec: false, lead: -1 },
  { up: 1, down: 2, taps: 4, phase: 0, rows: 2, columns: 8, vec: false, lead: -1 },
  { up: 3, down: 2, taps: 5, phase: 2, rows: 3, columns: 9, vec: false, lead: -1 },
  { up: 4, down: 1, taps: 2, phase: 3, rows: 4, columns: 8, vec: false, lead: -1 },
  { up: 1, down: 1, taps: 4, phase: 0, rows: 2, columns: 4, vec: true, lead: 2 },
  { up: 2, down: 1, taps: 4, phase: 1, rows: 2, columns: 4, vec: true, lead: -1 },
  { up: 1, down: 2, taps: 4, phase: 0, rows: 2, columns: 4, vec: true, lead: 3 },
  { up: 4, down: 1, taps: 2, phase: 3, rows: 4, columns: 4, vec: true, lead: -1 },
  { up: 2, down: 1, taps: 4, phase: 0, rows: 4, columns: 8, vec: true, lead: -1 },
  { up: 1, down: 2, taps: 4, phase: 0, rows: 4, columns: 8, vec: true, lead: 3 },
];
const tiles: readonly TileVariant[] = [
  ...alone.map((v) => ({ ...v, broadcast: false })),
  { up: 2, down: 1, taps: 4, phase: 1, rows: 4, columns: 8, vec: true, lead: -1, broadcast: true },
  { up: 1, down: 2, taps: 4, phase: 0, rows: 4, columns: 8, vec: true, lead: 3, broadcast: true },
  { up: 3, down: 2, taps: 5, phase: 2, rows: 3, columns: 9, vec: false, lead: -1, broadcast: true },
];

/**
 * The same in tiles for a thread: each input is read once a tile, and which taps meet which inputs of
 * a line is known beforehand. top and left are the first tile's first real input, phaseY the row's `phase`.
 */
export const upfirdn2dTile = defineKernel({
  name: "upfirdn2d_tile",
  bindings: ({ vec, lead }: TileVariant) =>
    ({
      x: `read ${elementType(lead >= 0)}`,
      filter_: "read f32",
      y: `read_write ${elementType(vec)}`,
    }) as const,
  params: {
    planes: "u32",
    height: "u32",
    width: "u32",
    oh: "u32",
    ow: "u32",
    kh: "i32",
    upY: "i32",
    downY: "i32",
    phaseY: "i32",
    top: "i32",
    left: "i32",
    flip: "u32",
  },
  subgroups: ({ broadcast }: TileVariant) => broadcast,
  subgroupSize: ({ broadcast }) => (broadcast ? LANES : undefined),
  variants: tiles,
  main: ({ up, down, taps, phase, rows, columns, vec, lead, broadcast }) => {
    const loads = range(Math.floor((phase + (columns - 1) * down + taps - 1) / up) + 1);
    const terms = (c: number) =>
      loads
        .map((m) => [m, m * up - phase - c * down] as const)
        .filter(([, tap]) => tap >= 0 && tap < taps)
        .map(([m, tap]) => `w${tap} * x${m}`);
    const stored = vec
      ? (r: number) =>
          unroll(columns / 4, (q) => {
            const lanes = range(4).map((lane) => `s${r}_${4 * q + lane}`);
            return `if (column + ${4 * q}u < p.ow) { y[out / 4u + ${q}u] = vec4f(${lanes.join(", ")}); }`;
          })
      : (r: number) => unroll(columns, (c) => `if (column + ${c}u < p.ow) { y[out + ${c}u] = s${r}_${c}; }`);
    const lines =
      lead < 0
        ? { width: "i32(p.width)", start: "j", loads: loads.length, zero: "0.0", more: "" }
        : {
            width: "i32(p.width) / 4",
            start: `(j - ${lead}) / 4`,
            loads: Math.ceil((lead + loads.length) / 4),
            zero: "vec4f()",
            more: loads
              .map((m) => `let x${m} = v${Math.floor((lead + m) / 4)}.${components[(lead + m) % 4]};`)
              .join(" "),
          };
    const loaded = lead < 0 ? "x" : "v";
    const firstTap = `select(a, p.kh - 1 - a, p.flip == 1u) * ${taps}`;
    const weights = broadcast
      ? `let part = filter_[tap + select(place, ${taps - 1}u - place, p.flip == 1u)];
            ${unroll(taps, (b) => `let w${b} = subgroupBroadcast(part, ${b}u);`)}`
      : unroll(taps, (b) => `let w${b} = filter_[tap + select(${b}, ${taps - 1 - b}, p.flip == 1u)];`);
    const sums = range(columns).filter((c) => terms(c).length > 0);
    return `
    ${linearMain(64, ownLane(broadcast))}
      let across = (p.ow + ${columns - 1}u) / ${columns}u;
      let down = (p.oh + ${rows - 1}u) / ${rows}u;
      let strip = thread / across;
      let plane = strip / down;
      ${broadcast ? `let place = min(own, ${taps - 1}u);` : "if (plane >= p.planes) { return; }"}
      let row = (strip - plane * down) * ${rows}u;
      let column = (thread - strip * across) * ${columns}u;
      let i = i32(row) * p.downY / p.upY + p.top;
      let j = i32(column) * ${down} / ${up} + p.left;
      let width = ${lines.width};
      let start = ${lines.start};
      ${unroll(lines.loads, (m) => `let in${m} = start + ${m} >= 0 && start + ${m} < width;`)}
      ${unroll(rows, (r) => unroll(columns, (c) => `var s${r}_${c} = 0.0;`, " "))}
      var line = (i32(plane * p.height) + i) * width + start;
      let last = (p.phaseY + ${rows - 1} * p.downY + p.kh - 1) / p.upY;
      for (var n = 0; n <= last; n++) {
        let inside = i + n >= 0 && i + n < i32(p.height);
        ${unroll(lines.loads, (m) => `let ${loaded}${m} = select(${lines.zero}, x[line + ${m}], inside && in${m});`)}
        ${lines.more}
        ${unroll(
          rows,
          (r) => `{
          let a = n * p.upY - p.phaseY - ${r} * p.downY;
          if (a >= 0 && a < p.kh) {
            let tap = ${broadcast ? `u32(${firstTap})` : firstTap};
            ${weights}
            ${sums.map((c) => `s${r}_${c} += ${terms(c).join(" + ")};`).join("\n")}
          }
        }`,
        )}
        line += width;
      }
      ${unroll(
        rows,
        (r) => `
      if (${broadcast ? "plane < p.planes && " : ""}row + ${r}u < p.oh) {
        let out = (plane * p.oh + row + ${r}u) * p.ow + column;
        ${stored(r)}
      }`,
      )}
    }`;
  },
  dispatch: ({ planes, oh, ow }, { rows, columns }) =>
    linearGroups(planes * Math.ceil(oh / rows) * Math.ceil(ow / columns), 64),
  cost: ({ planes, height, width, oh, ow, kh, upY }, { up, taps }) => ({
    bytes: 4 * planes * (height * width + oh * ow),
    flops: (2 * planes * oh * ow * kh * taps) / (upY * up),
  }),
});
