/** Sums of channels over images and places, a subgroup each: against float64, and who takes them. */
import { describe, expect, test } from "vitest";
import { sum } from "../../engine/ops/index.ts";
import { map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/reduce.ts";
import { broadcasts, LANES } from "../../kernels/broadcast.ts";
import { channelPieces, channelSums, sumsChannels } from "../../kernels/channel-sums.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

/** Fewer images than lanes, as many and more; maps shorter than their pieces are many; the longest chain. */
const shapes = (vec: boolean): (readonly [images: number, channels: number, hw: number])[] =>
  vec
    ? [
        [1, 3, 4],
        [3, 5, 20],
        [8, 1, 12],
        [19, 7, 8],
        [2, 2, 16384],
      ]
    : [
        [1, 1, 1],
        [1, 3, 9],
        [5, 2, 7],
        [17, 4, 3],
        [9, 1, 511],
      ];

describe.runIf(broadcasts(engine.hardware)).each(channelSums.variants)("in fours: $vec", ({ vec }) => {
  test.each(shapes(vec))("%d images of %d channels of %d", async (images, channels, hw) => {
    expect(sumsChannels(engine.hardware, images, hw)).toBe(true);
    const x = normal([images, channels, hw], 1);
    const params = { images, channels, hw, pieces: channelPieces(images), scale: 0.5 };
    const { y } = await launched(channelSums, { vec }, { x }, { y: [channels] }, params);
    const halves = map(oracle.sum(x, [0, 2]), (v) => 0.5 * v);
    const magnitude = oracle.sum(map(x, Math.abs), [0, 2]);
    expectNear(y!, halves, { terms: images * hw, magnitude });
  });
});

describe("who takes them", () => {
  const cpu: Hardware = { ...engine.hardware, kind: "cpu", subgroups: true, subgroupSize: LANES };

  test("subgroups of eight on a CPU driver, up to chains of 1,024 places", () => {
    expect(sumsChannels(cpu, 16, 2048)).toBe(true); // two maps of 512 vec4s
    expect(sumsChannels(cpu, 16, 2052)).toBe(false);
    expect(sumsChannels(cpu, 17, 2048)).toBe(false); // three maps for one of the lanes
    expect(sumsChannels(cpu, 1, 32768)).toBe(true); // an eighth of one
    expect(sumsChannels(cpu, 1, 32772)).toBe(false);
    for (const other of [{ kind: "gpu" }, { subgroupSize: 4 }, { subgroups: false }] as const)
      expect(sumsChannels({ ...cpu, ...other }, 16, 64)).toBe(false);
  });

  const launches = (hw: Hardware, shape: number[], axis: number[]) =>
    choosingFor(hw, async () => {
      const names: string[] = [];
      using x = upload(normal(shape, 1));
      engine.dry(
        () => void sum(x, { axis }),
        ({ program: { kernel } }) => void (kernel.name.endsWith("fill") || names.push(kernel.name)), // which poisons memory
      );
      return names;
    });

  test("what lies around one axis, in one launch instead of two", async () => {
    expect(await launches(cpu, [2, 3, 4, 5], [0, 2, 3])).toEqual(["channel_sums"]);
    expect(await launches({ ...cpu, subgroups: false }, [2, 3, 4, 5], [0, 2, 3])).toEqual([
      "reduce",
      "reduce",
    ]);
    expect(await launches(cpu, [2, 3, 4, 5], [2, 3])).toEqual(["reduce"]);
    expect(await launches(cpu, [2, 3, 4, 5], [0, 2])).toEqual(["reduce", "reduce"]);
  });
});
