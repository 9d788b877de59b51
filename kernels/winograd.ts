import {
  type Binding,
  defineKernel,
  type Groups,
  linearGroups,
  linearMain,
  range,
  unroll,
} from "./kernel.ts";

/*
 * Convolution 3x3 of stride 1 by Winograd's minimal filtering F(2x2, 3x3) (Lavin & Gray 2016): a tile of 2x2 outputs sees
 * 4x4 inputs, and 16 products of transformed values take the place of 36.
 *
 *   V = B^T d B   of each tile d of inputs         winogradInput
 *   U = G g G^T   of each kernel g                 winogradWeight
 *   M = U V       for each of 16 places, over ci   a matrix product, batch 16: matmul.ts
 *   y = A^T M A   plus bias and residual           winogradOutput
 *
 * The kernels read and write tiles in fours that neighbour in a row. A dilation d sorts the outputs into d x d phases,
 * each a convolution without dilation: a line of tiles belongs to one phase of rows, a four of tiles to one of columns.
 */

export type Winograd = Readonly<Record<"oh" | "ow" | "dilationY" | "dilationX", number>>;

/** Lines of tiles, and fours of tiles in each, of one image. */
export const winogradTiles = ({
  oh,
  ow,
  dilationY,
  dilationX,
}: Winograd): { lines: number; fours: number } => ({
  lines: dilationY * Math.ceil(Math.ceil(oh / dilationY) / 2),
  fours: dilationX * Math.ceil(Math.ceil(ow / dilationX) / 8),
});

/** Whether a tile's channels are neighbours: [tiles, channels] of each place instead of [channels, tiles]. */
export type Turned = { turned: boolean };

export const fourParams = {
  /** Images that are computed at once, and the first of them. */
  images: "u32",
  first: "u32",
  /** Images of a part: parts stand one after the other, the last one filled up with zeros. */
  each: "u32",
  lines: "u32",
  fours: "u32",
  dilationY: "u32",
  dilationX: "u32",
} as const;

/**
 * WGSL: a thread for a four of tiles of each of `channels` of the images; its first output is (oh, ow), and its first of
 * 16 values, `size` apart, stands `at`.
 */
export const eachFour = (channels: string, turned = false): string => `
    ${linearMain(64)}
      let four = thread % p.fours;
      let line = (thread / p.fours) % p.lines;
      let all = (p.images + p.each - 1u) / p.each * p.each;
      let image = (thread / (p.fours * p.lines)) % all;
      let channel = thread / (p.fours * p.lines * all);
      if (channel >= ${channels}) { return; }
      let kept = image < p.images;
      let oh = line % p.dilationY + (line / p.dilationY) * 2u * p.dilationY;
      let ow = four % p.dilationX + (four / p.dilationX) * 8u * p.dilationX;
      let place = ((image % p.each) * p.lines + line) * p.fours + four;
      let part = image / p.each;
      let size = p.each * p.lines * p.fours * ${channels}${turned ? " * 4u" : ""};
      let at = part * 16u * size + ${turned ? `place * 4u * ${channels} + channel` : "channel * (p.each * p.lines * p.fours) + place"};`;

/** WGSL: stores a place's values of the four tiles. */
export const putFours = (
  to: string,
  channels: string,
  turned: boolean,
  place: number,
  value: string,
): string => {
  const at = `${place}u * size + at`;
  if (!turned) return `${to}[${at}] = ${value};`;
  return `{ let four = ${value}; ${unroll(4, (q) => `${to}[${at} + ${q}u * ${channels}] = four[${q}];`, " ")} }`;
};

export const fourGroups = (
  { images, each, lines, fours }: Record<"images" | "each" | "lines" | "fours", number>,
  channels: number,
): Groups => linearGroups(Math.ceil(images / each) * each * lines * fours * channels, 64);

/** Values of one column or row of B^T d from four of d. */
const inputRow = (i: number, d: (k: number) => string): string =>
  [`${d(0)} - ${d(2)}`, `${d(1)} + ${d(2)}`, `${d(2)} - ${d(1)}`, `${d(1)} - ${d(3)}`][i]!;

/** x [n, ci, h, w] -> V [parts, 16, ci, each * lines * fours] vec4s of neighbouring tiles, or turned. */
export const winogradInput = defineKernel({
  name: "winograd_input",
  bindings: ({ turned }: Turned) =>
    ({ x: "read f32", v: turned ? "read_write f32" : "read_write vec4f" }) as const,
  params: { ...fourParams, ci: "u32", height: "u32", width: "u32", top: "i32", left: "i32" },
  variants: [{ turned: false }, { turned: true }],
  main: ({ turned }: Turned) => `
    ${eachFour("p.ci", turned)}
      let plane = i32(((p.first + image) * p.ci + channel) * p.height * p.width);
      let row = i32(oh) - p.top;
      let column = i32(ow) - p.left;
      let dy = i32(p.dilationY);
      let dx = i32(p.dilationX);
      ${unroll(4, (r) => `let y${r} = row + ${r} * dy; let line${r} = plane + y${r} * i32(p.width); let in${r} = kept && y${r} >= 0 && y${r} < i32(p.height);`)}
      ${unroll(
        10,
        (c) => `
      let x${c} = column + ${c} * dx;
      let within${c} = x${c} >= 0 && x${c} < i32(p.width);
      ${unroll(4, (r) => `let d${r}_${c} = select(0.0, x[select(0, line${r} + x${c}, in${r} && within${c})], in${r} && within${c});`)}
      ${unroll(4, (i) => `let t${i}_${c} = ${inputRow(i, (k) => `d${k}_${c}`)};`, " ")}`,
      )}
      ${unroll(4, (i) => {
        const fourOf = (first: number) => `vec4f(${range(4).map((q) => `t${i}_${first + 2 * q}`)})`;
        return `{
        ${unroll(4, (k) => `let c${k} = ${fourOf(k)};`, " ")}
        ${unroll(4, (j) =>
          putFours(
            "v",
            "p.ci",
            turned,
            4 * i + j,
            inputRow(j, (k) => `c${k}`),
          ),
        )}
      }`;
      })}
    }`,
  dispatch: (p) => fourGroups(p, p.ci),
  cost: ({ images, lines, fours, ci }) => {
    const tiles = 4 * images * lines * fours * ci;
    return { bytes: 4 * 20 * tiles, flops: 32 * tiles };
  },
});

/** Rows of G g from three of g. */
const weightRow = (i: number, g: (k: number) => string): string =>
  [g(0), `0.5 * (${g(0)} + ${g(1)} + ${g(2)})`, `0.5 * (${g(0)} - ${g(1)} + ${g(2)})`, g(2)][i]!;

/** w [co, ci, 3, 3], or [ci, co, 3, 3] with its taps backwards, -> U [16, ci, co rounded up to 4]. */
export const winogradWeight = defineKernel({
  name: "winograd_weight",
  bindings: { w: "read f32", u: "read_write f32" },
  params: { ci: "u32", co: "u32" },
  variants: [{ flip: false }, { flip: true }],
  main: ({ flip }: { flip: boolean }) => `
    ${linearMain(64)}
      let pitch = (p.co + 3u) / 4u * 4u;
      let co = thread % pitch;
      let ci = thread / pitch;
      if (ci >= p.ci) { return; }
      let kept = co < p.co;
      let at = select(0u, ${flip ? "(ci * p.co + co)" : "(co * p.ci + ci)"} * 9u, kept);
      ${unroll(9, (t) => `let g${Math.floor(t / 3)}_${t % 3} = select(0.0, w[at + ${flip ? 8 - t : t}u], kept);`)}
      ${unroll(4, (i) => unroll(3, (c) => `let t${i}_${c} = ${weightRow(i, (k) => `g${k}_${c}`)};`, " "))}
      let size = p.ci * pitch;
      ${unroll(4, (i) => unroll(4, (j) => `u[${4 * i + j}u * size + thread] = ${weightRow(j, (k) => `t${i}_${k}`)};`))}
    }`,
  dispatch: ({ ci, co }) => linearGroups(ci * Math.ceil(co / 4) * 4, 64),
  cost: ({ ci, co }) => ({ bytes: 4 * 25 * ci * co, flops: 50 * ci * co }),
});

/** Rows of A^T m from four of m. */
const outputRow = (i: number, m: (k: number) => string): string =>
  [`${m(0)} + ${m(1)} + ${m(2)}`, `${m(1)} - ${m(2)} - ${m(3)}`][i]!;

export type WinogradOutputVariant = {
  residual: boolean;
  /** y by vec4s: without dilation across, and of a width that is a multiple of 4. */
  vec: boolean;
};

/** M [16, co, images * lines * fours] vec4s, all images in one part, of neighbouring tiles -> y [n, co, oh, ow], with the end of convRows. */
export const winogradOutput = defineKernel({
  name: "winograd_output",
  bindings: ({ residual, vec }: WinogradOutputVariant) =>
    ({
      m: "read vec4f",
      bias: "read f32",
      ...(residual && { residual: vec ? "read vec4f" : "read f32" }),
      y: vec ? "read_write vec4f" : "read_write f32",
    }) as Record<"m" | "bias" | "residual" | "y", Binding>,
  params: {
    ...fourParams,
    co: "u32",
    oh: "u32",
    ow: "u32",
    useBias: "u32",
    /** From one sample's bias to the next's: 0 where all have the same. */
    biasPitch: "u32",
    rescale: "f32",
  },
  variants: [false, true].flatMap((vec) =>
    [false, true].map((residual): WinogradOutputVariant => ({ residual, vec })),
  ),
  main: ({ residual, vec }) => {
    const value = (s: string) => (residual ? `(${s} + b + residual[out]) * p.rescale` : `${s} + b`);
    return `
    ${eachFour("p.co")}
      let n = p.first + image;
      ${unroll(16, (k) => `let m${k >> 2}_${k & 3} = m[${k}u * size + at];`)}
      ${unroll(2, (i) => unroll(4, (j) => `let t${i}_${j} = ${outputRow(i, (k) => `m${k}_${j}`)};`, " "))}
      let b = select(0.0, bias[(n * p.biasPitch + channel) * p.useBias], p.useBias == 1u);
      let plane = (n * p.co + channel) * p.oh;
      ${unroll(
        2,
        (i) => `
      if (oh + ${i}u * p.dilationY < p.oh) {
        let row = (plane + oh + ${i}u * p.dilationY) * p.ow;
        ${unroll(2, (j) => `let s${j} = ${outputRow(j, (k) => `t${i}_${k}`)};`, " ")}
        ${vec ? fours(value) : singles(value)}
      }`,
      )}
    }`;
  },
  dispatch: (p) => fourGroups(p, p.co),
  cost: ({ images, lines, fours, co }) => {
    const tiles = 4 * images * lines * fours * co;
    return { bytes: 4 * 20 * tiles, flops: 24 * tiles };
  },
});

type Ending = (sum: string) => string;

/** WGSL: eight neighbouring sums of a row from `row + ow` on, as far as the row goes, one by one. */
const singles = (value: Ending): string =>
  unroll(8, (c) => {
    const sum = `s${c & 1}.${"xyzw"[c >> 1]}`;
    return `{ let column = ow + ${c}u * p.dilationX; if (column < p.ow) { let out = row + column; y[out] = ${value(sum)}; } }`;
  });

/** WGSL: the same as two vec4s. */
const fours = (value: Ending): string =>
  unroll(2, (q) => {
    const [a, b] = ["xy", "zw"][q]!;
    const sum = `vec4f(s0.${a}, s1.${a}, s0.${b}, s1.${b})`;
    return `{ let column = ow + ${4 * q}u; if (column < p.ow) { let out = (row + column) / 4u; y[out] = ${value(sum)}; } }`;
  });
