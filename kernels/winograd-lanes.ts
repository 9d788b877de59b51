import { broadcasts, LANES, ownLane } from "./broadcast.ts";
import { components, type Groups, type Hardware, linearGroups, linearMain, range, unroll } from "./kernel.ts";
import { type Row, winogradRows } from "./winograd-matrices.ts";

/*
 * The transforms of winograd.ts by tiles of 4x4 where subgroups have eight lanes, which read and store apart (broadcast.ts): a
 * vec4 costs a lane as much as two floats, what lanes hand each other next to nothing.
 *
 *   reads     A lane reads the four floats of each row that stand at its run, once, where it can as a vec4, and has what its
 *             tile shares with the neighbours from theirs. What lanes at the ends of a subgroup lack they read.
 *   dilation  d fours in a row hold d tiles, of as many phases: their lanes deal the columns out, and collect them again.
 *   stores    Four lanes turn four places of their tiles into one place of four tiles, a vec4 for each. Of turned values a lane
 *             keeps the rows of four channels, which are a vec4 then: loops that fill them and empty them row by row, for the
 *             text written out takes a driver six times as long to compile and more of the cache of instructions than there is.
 */

const TILE = 4;
const SIDE = TILE + 2;
const PLACES = SIDE ** 2;

/** Channels of a thread, which finds its tile once for all of them; where they are neighbours, a line of the cache. */
const EACH = 16;

/** How the arrays of images are seen: as floats, or as the vec4s of rows that consist of whole ones. */
type Element = "singles" | "fours";

/** Whether lanes can share rows of tiles, dilated so, that begin where tiles' outputs do. */
export const sharesRows = (hw: Hardware, tile: number, dilationX: number): boolean =>
  broadcasts(hw) && tile === TILE && [1, 2, 4].includes(dilationX);

/** Rows of `width` are seen as vec4s where each run of tiles has one. */
export const elementOf = (width: number, runs: number): Element =>
  width === TILE * runs ? "fours" : "singles";

/** Whether subgroups begin and end where rows of so many tiles do. */
export const endsWithLanes = (runs: number): boolean => LANES % runs === 0;

export const lanesGroups = (
  { images, each, lines, runs }: Record<"images" | "each" | "lines" | "runs", number>,
  channels: number,
): Groups => {
  const chunks = Math.ceil((each * lines * runs) / LANES);
  return linearGroups(Math.ceil(images / each) * chunks * Math.ceil(channels / EACH), 1);
};

/** WGSL functions, to be called by all lanes at once. */
export const lanesLib: readonly string[] = [
  `
    /** Lanes with which one exchanges components, itself where it keeps them; and whether the middle ones change places. */
    struct Phases { next: u32, second: u32, crossed: bool }`,
  `
    fn phases(own: u32, dilation: u32) -> Phases {
      return Phases(select(own, own ^ 1u, dilation > 1u), select(own, own ^ 2u, dilation == 4u), dilation == 2u);
    }`,
  `
    fn exchanged(own: u32, f: vec4f, next: u32, second: u32) -> vec4f {
      let odd = (own & 1u) == 1u;
      let s = subgroupShuffle(select(f.yw, f.xz, odd), next);
      let g = select(vec4f(f.x, s.x, f.z, s.y), vec4f(s.x, f.y, s.y, f.w), odd);
      let upper = (own & 2u) == 2u;
      let t = subgroupShuffle(select(g.zw, g.xy, upper), second);
      return select(vec4f(g.xy, t), vec4f(t, g.zw), upper);
    }`,
  `
    fn crossed(f: vec4f, by: Phases) -> vec4f {
      return vec4f(f.x, select(f.y, f.z, by.crossed), select(f.z, f.y, by.crossed), f.w);
    }`,
  `
    /** Four neighbouring columns -> four of a phase. */
    fn dealt(own: u32, f: vec4f, by: Phases) -> vec4f {
      return crossed(exchanged(own, f, by.next, by.second), by);
    }`,
  `
    /** Four columns of a phase -> four neighbouring ones. */
    fn collected(own: u32, f: vec4f, by: Phases) -> vec4f {
      return exchanged(own, crossed(f, by), by.next, by.second);
    }`,
  `
    /** Component i of lane j of four -> component j of lane i. */
    fn turnedFours(own: u32, f: vec4f) -> vec4f {
      return exchanged(own, f, own ^ 1u, own ^ 2u);
    }`,
];

/** WGSL: as `eachRun` of winograd.ts, with a loop over the thread's channels; places are `size` vec4s apart. All lanes stay. */
const eachChannel = (channels: string, turned: boolean, before: string, body: string): string => `
    ${linearMain(LANES, ownLane(true))}
      let whole = p.each * p.lines * p.runs;
      let fours = (whole + 3u) / 4u;
      let chunks = (fours + 1u) / 2u;
      let blocks = (${channels} + ${EACH - 1}u) / ${EACH}u;
      let turn = group / chunks;
      let part = turn / blocks;
      if (part * p.each >= p.images) { return; }
      let place = (group - turn * chunks) * ${LANES}u + own;
      let over = place / p.runs;
      let run = place - over * p.runs;
      let above = over / p.lines;
      let line = over - above * p.lines;
      let image = part * p.each + above;
      let kept = place < whole && image < p.images;
      let stored = place / 4u < fours;
      let block = run / p.dilationX;
      let oh = line + (line / p.dilationY) * ${TILE - 1}u * p.dilationY;
      let by = phases(own, p.dilationX);
      let size = fours * ${channels};
      ${before}
      let start = (turn - part * blocks) * ${EACH}u;
      let stop = min(start + ${EACH}u, ${channels});
      for (var channel = start; channel < stop; channel += ${turned ? 4 : 1}u) {
        let at = part * ${PLACES}u * size + ${turned ? `place * (${channels} / 4u) + channel / 4u` : "channel * fours + place / 4u + (own & 3u) * size"};
        ${body}
      }
    }`;

/** How tiles are transformed. */
interface Tiles {
  readonly to: string;
  readonly channels: string;
  /** Rows of a tile, and each of the six that they are transformed to. */
  readonly rows: number;
  readonly row: Row;
  /** WGSL before the loop over channels. */
  readonly before: string;
  /** WGSL that reads a channel: d0, d1, ... are the lane's vec4s of the tile's rows, and where some columns are read besides b0, ... */
  readonly read: (channel: string) => string;
  readonly ends: boolean;
  /** WGSL of a row's columns, of which the lane has four in a vec4, and perhaps g of those beyond. */
  readonly columns: (four: string, g: string) => readonly string[];
}

/** WGSL: rows e0 to e5 of the columns that the lane is dealt, and g0 to g5 of what it read besides. */
const down = ({ rows, row, ends }: Tiles): string => `
        ${unroll(rows, (r) => `let a${r} = dealt(own, d${r}, by);`)}
        ${unroll(SIDE, (i) => `let e${i} = ${row(i, (k) => `a${k}`)}; ${ends ? `let g${i} = ${row(i, (k) => `b${k}`)};` : ""}`)}`;

/** WGSL that stores vec4s of tiles. */
const plain = (tiles: Tiles): string => {
  const { to, channels, row, before, read, columns } = tiles;
  return eachChannel(
    channels,
    false,
    before,
    `${read("channel")}
        ${down(tiles)}
        ${unroll(
          SIDE,
          (i) => `
        ${columns(`e${i}`, `g${i}`)
          .map((c, k) => `let c${i}_${k} = ${c};`)
          .join(" ")}
        ${unroll(SIDE, (j) => `let z${SIDE * i + j} = ${row(j, (k) => `c${i}_${k}`)};`)}`,
        )}
        ${unroll(PLACES / 4, (g) => `let o${g} = turnedFours(own, vec4f(${range(4).map((q) => `z${4 * g + q}`)}));`)}
        if (stored) { ${unroll(PLACES / 4, (g) => `${to}[at + ${4 * g}u * size] = o${g};`)} }`,
  );
};

/** WGSL that stores vec4s of channels. No driver knows how often its loops turn, lest it write them out. */
const fourChannels = (tiles: Tiles): string => {
  const { to, channels, row, before, read, columns, ends } = tiles;
  const keep = (q: number, i: number) => `e${i}_${q} = e${i}; ${ends ? `g${i}_${q} = g${i};` : ""}`;
  const take = (q: number, i: number) => `e${q} = e${i}_${q}; ${ends ? `g${q} = g${i}_${q};` : ""}`;
  const across = range(4).map((q) => columns(`e${q}`, `g${q}`));
  return eachChannel(
    channels,
    true,
    before,
    `${unroll(4, (q) => unroll(SIDE, (i) => `var e${i}_${q} = vec4f(); ${ends ? `var g${i}_${q} = 0.0;` : ""}`, " "))}
        for (var next = channel; next < channel + 4u; next++) {
          let q = next - channel;
          ${read("next")}
          ${down(tiles)}
          ${unroll(4, (q) => `if (q == ${q}u) { ${unroll(SIDE, (i) => keep(q, i), " ")} }`)}
        }
        var i = 0u;
        for (var far = 0u; far < ${PLACES}u * size; far += ${SIDE}u * size) {
          ${unroll(4, (q) => `var e${q} = e0_${q}; ${ends ? `var g${q} = g0_${q};` : ""}`)}
          ${unroll(SIDE - 1, (i) => `if (i == ${i + 1}u) { ${unroll(4, (q) => take(q, i + 1), " ")} }`)}
          ${across[0]!.map((_, k) => `let c${k} = vec4f(${across.map((names) => names[k])});`).join("\n")}
          ${unroll(SIDE, (j) => `let f${j} = ${row(j, (k) => `c${k}`)};`)}
          if (stored) { ${unroll(SIDE, (j) => `${to}[at + far + ${j}u * size] = f${j};`)} }
          i++;
        }`,
  );
};

/** WGSL: what a lane knows of rows of so many columns: how `wide` they are, and where in them its own four stand. */
const ownColumns = (by: Element, columns: string): string =>
  by === "fours"
    ? `
      let wide = ${columns} / 4u;
      let column = run;`
    : `
      let wide = ${columns};
      let column = run * 4u;
      ${unroll(4, (q) => `let on${q} = column + ${q}u < wide;`, " ")}`;

/** WGSL: the lane's four of a row, zeros where it is not `within` and beyond its end. */
function ownFour(by: Element, array: string, at: string, within: string): string {
  const read = (zero: string, place: string, there: string) =>
    `select(${zero}, ${array}[select(0u, ${place}, ${there})], ${there})`;
  if (by === "fours") return read("vec4f()", at, within);
  return `vec4f(${range(4).map((q) => read("0.0", `${at} + ${q}u`, `(${within} && on${q})`))})`;
}

/** WGSL of winogradInput, `left` as wide as the dilation. `ends`: rows of tiles begin or end within subgroups. */
export const inputByLanes = ({
  turned,
  by,
  ends,
}: {
  turned: boolean;
  by: Element;
  ends: boolean;
}): string => {
  const before = `
      ${ownColumns(by, "p.width")}
      let first = block == 0u;
      let last = (block + 1u) * p.dilationX >= p.runs;
      let low = own < p.dilationX;
      let high = own >= ${LANES}u - p.dilationX;
      let top = i32(oh) - p.top;
      ${unroll(SIDE, (r) => `let y${r} = top + ${r} * i32(p.dilationY); let in${r} = kept && y${r} >= 0 && y${r} < i32(p.height); let line${r} = select(0u, u32(y${r}), in${r}) * wide;`)}
      ${
        ends
          ? `
      let phase = run - block * p.dilationX;
      let beyond = select((block + 1u) * 4u * p.dilationX, block * 4u * p.dilationX - p.dilationX, low) + phase;
      let lacks = ((low && !first) || (high && !last)) && beyond < p.width;`
          : ""
      }`;
  const beyond = by === "fours" ? "beyond / 4u][beyond % 4u]" : "beyond]";
  const read = (c: string) => `
        let plane = ((p.first + image) * p.ci + ${c}) * p.height * wide;
        ${unroll(SIDE, (r) => `let d${r} = ${ownFour(by, "x", `plane + line${r} + column`, `in${r}`)};`)}
        ${ends ? unroll(SIDE, (r) => `var b${r} = 0.0; if (in${r} && lacks) { b${r} = x[plane + line${r} + ${beyond}; }`) : ""}`;
  const from = (lane: string, g: string, at: string) => (ends ? `select(${lane}, ${g}, ${at})` : lane);
  const columns = (e: string, g: string) => [
    `select(${from(`subgroupShuffle(${e}.w, (own - p.dilationX) % ${LANES}u)`, g, "low")}, 0.0, first)`,
    ...range(4).map((k) => `${e}.${components[k]}`),
    `select(${from(`subgroupShuffle(${e}.x, (own + p.dilationX) % ${LANES}u)`, g, "high")}, 0.0, last)`,
  ];
  const tiles = {
    to: "v",
    channels: "p.ci",
    rows: SIDE,
    row: winogradRows(TILE).input,
    before,
    read,
    columns,
    ends,
  };
  return turned ? fourChannels(tiles) : plain(tiles);
};

/** WGSL of winogradOutputGrad, turned. */
export const outputGradByLanes = (by: Element): string =>
  fourChannels({
    to: "w",
    channels: "p.co",
    rows: TILE,
    row: winogradRows(TILE).outputGrad,
    before: `
      ${ownColumns(by, "p.ow")}
      ${unroll(TILE, (r) => `let y${r} = oh + ${r}u * p.dilationY; let line${r} = y${r} * wide; let in${r} = kept && y${r} < p.oh;`)}`,
    read: (c) => `
        let plane = ((p.first + image) * p.co + ${c}) * p.oh * wide;
        ${unroll(TILE, (r) => `let d${r} = ${ownFour(by, "dy", `plane + line${r} + column`, `in${r}`)};`)}`,
    columns: (e) => range(4).map((k) => `${e}.${components[k]}`),
    ends: false,
  });

/** WGSL of winogradOutput, not turned, where `ended` makes of sums with their bias, stored at `out`, what is stored. */
export const outputByLanes = (by: Element, ended: (sums: string) => string): string => {
  const row = winogradRows(TILE).output;
  const value = (place: number) => `f${place >> 2}.${components[place & 3]}`;
  const put = (i: number) =>
    by === "fours"
      ? `y[out] = ${ended(`s${i}`)};`
      : unroll(4, (q) => `if (on${q}) { let out = first + ${q}u; y[out] = ${ended(`s${i}[${q}]`)}; }`, " ");
  return eachChannel(
    "p.co",
    false,
    `
      let n = p.first + image;
      ${ownColumns(by, "p.ow")}`,
    `${unroll(PLACES / 4, (g) => `let f${g} = turnedFours(own, m[at + ${4 * g}u * size]);`)}
        ${unroll(TILE, (i) => unroll(SIDE, (j) => `let t${i}_${j} = ${row(i, (k) => value(SIDE * k + j))};`, " "))}
        let b = select(0.0, bias[(n * p.biasPitch + channel) * p.useBias], p.useBias == 1u);
        ${unroll(TILE, (i) => `let s${i} = collected(own, vec4f(${range(TILE).map((j) => row(j, (k) => `t${i}_${k}`))}) + b, by);`)}
        let plane = (n * p.co + channel) * p.oh;
        ${unroll(TILE, (i) => `if (kept && oh + ${i}u * p.dilationY < p.oh) { let ${by === "fours" ? "out" : "first"} = (plane + oh + ${i}u * p.dilationY) * wide + column; ${put(i)} }`)}`,
  );
};
