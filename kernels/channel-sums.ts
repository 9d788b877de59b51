import { broadcasts, LANES } from "./broadcast.ts";
import { sumOf } from "./folds.ts";
import { defineKernel, type Hardware, linearGroups, linearMain } from "./kernel.ts";
import { elementType } from "./runs.ts";

type ChannelSumsVariant = {
  /** By vec4s: maps are multiples of 4. */
  vec: boolean;
};

/** Pieces of a map, so that all lanes have some. */
export const channelPieces = (images: number): number =>
  2 ** Math.max(0, Math.ceil(Math.log2(LANES / images)));

/** The longest chain that a lane adds up: beyond, sums are trees of several launches. */
const CHAIN = 1024;

/** Whether a subgroup is soon through with a channel of all images. */
export function sumsChannels(hw: Hardware, images: number, columns: number): boolean {
  const pieces = channelPieces(images);
  const places = columns % 4 === 0 ? columns / 4 : columns;
  return broadcasts(hw) && Math.ceil((images * pieces) / LANES) * Math.ceil(places / pieces) <= CHAIN;
}

/**
 * x [n, c, hw] -> y [c]: sums over images and places, scaled, for llvmpipe, where one launch more takes longer than a small
 * tensor. A subgroup, alone in its workgroup, has a channel, a lane every eighth piece of a map.
 */
export const channelSums = defineKernel({
  name: "channel_sums",
  bindings: ({ vec }: ChannelSumsVariant) =>
    ({ x: `read ${elementType(vec)}`, y: "read_write f32" }) as const,
  params: { images: "u32", channels: "u32", hw: "u32", pieces: "u32", scale: "f32" },
  lib: ({ vec }) => [sumOf(vec)],
  subgroups: () => true,
  subgroupSize: () => LANES,
  variants: [{ vec: false }, { vec: true }],
  main: ({ vec }) => `
    ${linearMain(LANES)}
      if (group >= p.channels) { return; }
      let length = p.hw${vec ? " / 4u" : ""};
      let size = (length + p.pieces - 1u) / p.pieces;
      var total = ${elementType(vec)}();
      for (var piece = lane; piece < p.images * p.pieces; piece += ${LANES}u) {
        let image = piece / p.pieces;
        let base = (image * p.channels + group) * length;
        let first = (piece - image * p.pieces) * size;
        for (var i = base + first; i < base + min(first + size, length); i++) { total += x[i]; }
      }
      let all = subgroupAdd(sum(total));
      if (lane == 0u) { y[group] = all * p.scale; }
    }`,
  dispatch: ({ channels }) => linearGroups(channels, 1),
  cost: ({ images, channels, hw }) => ({
    bytes: 4 * channels * (images * hw + 1),
    flops: images * channels * hw,
  }),
});
