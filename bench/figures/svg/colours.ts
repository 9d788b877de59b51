/** Okabe & Ito's colours, told apart by all eyes. */
export const colours = {
  blue: "#0072b2",
  red: "#d55e00",
  green: "#009e73",
  pink: "#cc79a7",
  grey: "#9a9a9a",
  black: "#333333",
} as const;

/** From light to dark, even to the eye: stops of matplotlib's magma, turned around. */
const RAMP = [
  [252, 253, 191],
  [254, 159, 109],
  [222, 73, 104],
  [140, 41, 129],
  [59, 15, 112],
  [0, 0, 4],
] as const;

/** The colour of a share from 0, light, to 1, dark; clamped. RGB, 0 to 255. */
export function shade(share: number): [red: number, green: number, blue: number] {
  const at = Math.min(1, Math.max(0, share)) * (RAMP.length - 1);
  const k = Math.min(RAMP.length - 2, Math.floor(at));
  const mix = (c: 0 | 1 | 2) => Math.round(RAMP[k]![c] + (at - k) * (RAMP[k + 1]![c] - RAMP[k]![c]));
  return [mix(0), mix(1), mix(2)];
}
