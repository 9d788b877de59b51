import type { Random } from "./random.ts";
import { arc, type Stroke } from "./strokes.ts";

/** How a digit is written: each call draws the strokes of one hand, in a box 0..1 by 0..1, y downwards. */
type Hand = (r: Random) => Stroke[];

const chance = (r: Random, share: number) => r.uniform() < share;

const zero: Hand = (r) => {
  const radii = [r.between(0.23, 0.42), 0.5] as const;
  return [arc([0.5, 0.5], radii, -0.25 + r.between(-0.02, 0.12), -r.between(0.96, 1.08))];
};

const one: Hand = (r) => {
  const lean = r.between(-0.03, 0.12);
  const top = [0.5 + lean, 0] as const;
  const foot = [0.5 - lean, 1] as const;
  if (chance(r, 0.6)) return [[top, [0.5, 0.5], foot]];
  const flag: Stroke = [[top[0] - r.between(0.14, 0.28), r.between(0.14, 0.26)], [...top, "corner"], foot];
  if (chance(r, 0.55)) return [flag];
  return [
    flag,
    [
      [foot[0] - r.between(0.16, 0.26), 1],
      [foot[0] + r.between(0.16, 0.26), 0.99],
    ],
  ];
};

const two: Hand = (r) => {
  const head: Stroke = [
    [r.between(0.1, 0.22), r.between(0.16, 0.28)],
    [0.32, 0.05],
    [0.55, 0],
    [r.between(0.72, 0.8), 0.11],
    [r.between(0.72, 0.82), 0.32],
    [0.6, 0.57],
  ];
  const end = [r.between(0.82, 0.98), r.between(0.9, 1)] as const;
  if (chance(r, 0.6)) return [[...head, [0.36, 0.8], [0.1, 0.98, "corner"], [0.5, 0.97], end]];
  return [[...head, [0.38, 0.83], [0.18, 0.93], [0.08, 0.83], [0.22, 0.75], [0.48, 0.86], end]];
};

const three: Hand = (r) => {
  const waist = [r.between(0.34, 0.5), r.between(0.42, 0.5), "corner"] as const;
  const belly = r.between(0.78, 0.9);
  const lower: Stroke = [
    [0.68, 0.54],
    [belly, 0.73],
    [0.7, 0.93],
    [0.42, 1],
    [0.12, r.between(0.82, 0.94)],
  ];
  if (chance(r, 0.2)) return [[[0.14, 0.03], [0.46, 0.02], [0.78, 0.02, "corner"], waist, ...lower]];
  const reach = r.between(0.7, 0.82);
  return [
    [[0.15, r.between(0.08, 0.2)], [0.4, 0], [0.66, 0.05], [reach, 0.21], [0.65, 0.38], waist, ...lower],
  ];
};

const four: Hand = (r) => {
  const bar = r.between(0.5, 0.66);
  const stem = r.between(0.62, 0.76);
  const end = [r.between(0.84, 1), bar - r.between(0, 0.06)] as const;
  if (chance(r, 0.25)) {
    return [
      [[stem, 0], [0.08, bar + 0.06, "corner"], [0.5, bar + 0.05], end],
      [
        [stem, 0],
        [stem - 0.02, 0.5],
        [stem - 0.04, 1],
      ],
    ];
  }
  return [
    [[r.between(0.14, 0.32), 0], [0.16, 0.26], [0.1, bar, "corner"], [0.5, bar], end],
    [
      [stem + 0.04, r.between(-0.02, 0.12)],
      [stem, 0.5],
      [stem - r.between(0, 0.08), 1],
    ],
  ];
};

const five: Hand = (r) => {
  const corner = [r.between(0.22, 0.34), 0.02] as const;
  const brow = r.between(0.36, 0.46);
  const belly: Stroke = [
    [corner[0] - 0.06, brow + 0.02, "corner"],
    [0.46, brow - 0.03],
    [0.74, brow + 0.1],
    [r.between(0.76, 0.86), 0.7],
    [0.66, 0.92],
    [0.38, 1],
    [0.1, r.between(0.84, 0.96)],
  ];
  const tip = [r.between(0.72, 0.94), r.between(-0.04, 0.04)] as const;
  if (chance(r, 0.5)) return [[tip, [0.55, 0.01], [...corner, "corner"], ...belly]];
  return [
    [corner, ...belly],
    [[corner[0] - 0.02, 0.04], [0.55, 0.01], tip],
  ];
};

const six: Hand = (r) => {
  const loop = r.between(0.48, 0.6);
  return [
    [
      [r.between(0.56, 0.8), 0],
      [0.42, 0.17],
      [0.24, 0.42],
      [0.16, 0.7],
      [0.28, 0.94],
      [0.52, 1],
      [0.76, 0.88],
      [0.79, (loop + 1) / 2 - 0.04],
      [0.6, loop],
      [0.36, loop + 0.07],
      [0.19, r.between(0.74, 0.82)],
    ],
  ];
};

const seven: Hand = (r) => {
  const bend = r.between(0.5, 0.66);
  const foot = [r.between(0.26, 0.5), 1] as const;
  const bar: Stroke = [
    [0.1, r.between(0.02, 0.1)],
    [0.45, r.between(0, 0.05)],
    [0.84, 0.02, "corner"],
  ];
  const serif: Stroke = chance(r, 0.25) ? [[0.1, 0.2], [0.1, 0.04, "corner"], ...bar.slice(1)] : bar;
  const strokes: Stroke[] = [[...serif, [bend, 0.42], [bend - 0.14, 0.7], foot]];
  if (chance(r, 0.2))
    strokes.push([
      [bend - 0.28, 0.52],
      [bend + 0.2, 0.49],
    ]);
  return strokes;
};

const eight: Hand = (r) => {
  const [upper, lower] = [r.between(0.2, 0.28), r.between(0.24, 0.34)];
  const waist = r.between(0.42, 0.5);
  const start: Stroke = [[0.5 + upper, r.between(0.08, 0.16)]];
  return [
    [
      ...start,
      [0.5, 0],
      [0.5 - upper, waist * 0.3],
      [0.5 - upper * 0.7, waist * 0.72],
      [0.5, waist + 0.02],
      [0.5 + lower * 0.8, waist + 0.17],
      [0.5 + lower, 0.83],
      [0.5, 1],
      [0.5 - lower, 0.84],
      [0.5 - lower * 0.8, waist + 0.2],
      [0.5, waist],
      [0.5 + upper * 0.8, waist * 0.66],
      [0.5 + upper, r.between(0.1, 0.18)],
    ],
  ];
};

const nine: Hand = (r) => {
  const loop = r.between(0.42, 0.54);
  const side = r.between(0.7, 0.8);
  const head: Stroke = [
    [side, r.between(0.1, 0.2)],
    [0.54, 0],
    [0.28, 0.07],
    [0.16, loop * 0.6],
    [0.3, loop],
    [0.55, loop - 0.04],
    [side, 0.2, "corner"],
  ];
  if (chance(r, 0.6))
    return [[...head, [side - r.between(0.02, 0.08), 0.55], [side - r.between(0.02, 0.2), 1]]];
  return [[...head, [side, 0.56], [side - 0.1, 0.86], [0.46, 1], [0.2, r.between(0.88, 0.98)]]];
};

/** The hand of each digit; its place is its label. */
export const hands: readonly Hand[] = [zero, one, two, three, four, five, six, seven, eight, nine];
