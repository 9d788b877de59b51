/*
 * Convolutions 3x3 of stride 1 and their gradients in the weight, directly (by rows, on a GPU as a matrix product) and by
 * Winograd's tiles of 2x2 and 4x4 outputs, over channels, maps, batches and dilations:
 *
 *   npx tsx bench/sweeps/winograd.ts [--only PATTERN] [--passes forward,weight] [--kernels]
 *
 * One line a shape: milliseconds of the three ways, which take turns, a star at the heuristic's. PATTERN, a regular
 * expression, picks lines, as "(64|128) channels, map 32". `--kernels` tells beneath where each way's time goes.
 */
import { parseArgs } from "node:util";
import { wayName } from "../../engine/choices.ts";
import { Engine } from "../../engine/engine.ts";
import { conv2d, conv2dWeightGrad } from "../../engine/ops/index.ts";
import { profile } from "../../engine/profiler.ts";
import { convTile, convWeightTile } from "../../kernels/conv-tiles.ts";
import { type ConvWay, convWay } from "../../kernels/conv-ways.ts";
import { type ConvWeightWay, convWeightWay } from "../../kernels/conv-weight-ways.ts";
import type { Variant } from "../../kernels/kernel.ts";
import { usualTile } from "../../kernels/tile-choice.ts";
import { winogradTileSizes } from "../../kernels/winograd-matrices.ts";
import { digits } from "../format.ts";
import { type Case, measure } from "../harness.ts";
import { drawn, recorded, release } from "../inputs.ts";
import { nodeHost } from "../node-host.ts";
import { aloneTime } from "../processor.ts";

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    passes: { type: "string", default: "forward,weight" },
    kernels: { type: "boolean", default: false },
  },
});
const pattern = new RegExp(options.only);
const engine = await Engine.create({ autotune: "off" });
const hw = engine.hardware;
const host = nodeHost();

interface Shape {
  readonly n: number;
  readonly channels: number;
  readonly size: number;
  readonly dilation: number;
}

/** Multiply-adds beyond which a shape takes a software driver too long. */
const MOST = hw.kind === "cpu" ? 2 ** 32 : Infinity;

const shapes: Shape[] = [8, 16, 24, 32, 48, 64, 128, 256].flatMap((channels) =>
  [32, 28, 16, 14, 8, 7, 4].flatMap((size) =>
    [1, 2, 4]
      .filter((dilation) => dilation < size / 2)
      .flatMap((dilation) => [1, 8, 16].map((n) => ({ n, channels, size, dilation }))),
  ),
);

const macsOf = (n: number, channels: number, size: number): number =>
  n * channels * channels * 9 * size * size;

const nameOf = ({ n, channels, size, dilation }: Shape): string =>
  `batch ${n}, ${channels} channels, map ${size}, dilation ${dilation}`;

/** A pass: the family of its ways, the direct one, the usual one and the work. */
const passes = {
  forward: ({ n, channels: c, size, dilation: d }: Shape) => {
    const way = convWay(hw, {
      ...{ n, ci: c, co: c, oh: size, ow: size, kernel: [3, 3], stuffing: [1, 1], flip: false, half: false },
      attrs: { stride: [1, 1], dilation: [d, d] },
    });
    const direct: ConvWay =
      hw.kind === "cpu"
        ? { kernel: "rows", ...convTile(hw, { ci: c, co: c, ow: size, work: macsOf(n, c, size) }) }
        : { kernel: "gemm", ...usualTile(hw, { batch: 1, m: c, n: n * size * size }) };
    return {
      ...{ family: "conv2d", direct, usual: way },
      run: () =>
        conv2d(drawn(engine, [n, c, size, size], 1), drawn(engine, [c, c, 3, 3], 2), undefined, {
          ...{ padding: d, dilation: d },
        }),
    };
  },
  weight: ({ n, channels: c, size, dilation: d }: Shape) => {
    const layer = { ci: c, co: c, kh: 3, kw: 3 };
    const direct: ConvWeightWay =
      hw.kind === "cpu"
        ? { kernel: "rows", ...convWeightTile(hw, { ...layer, work: macsOf(n, c, size) }) }
        : { kernel: "gemm", ...usualTile(hw, { batch: 1024, m: c, n: 9 * c }) };
    return {
      ...{ family: "conv2d_weight_grad", direct },
      usual: convWeightWay(hw, { n, ...layer, size: [size, size], stride: [1, 1], dilation: [d, d] }),
      run: () =>
        conv2dWeightGrad(drawn(engine, [n, c, size, size], 1), drawn(engine, [n, c, size, size], 2), {
          ...{ stride: [1, 1], padding: [d, d, d, d], dilation: [d, d], kernelSize: [3, 3] },
        }),
    };
  },
} as const;

for (const pass of options.passes.split(",") as (keyof typeof passes)[])
  for (const shape of shapes) {
    const { n, channels, size } = shape;
    const macs = macsOf(n, channels, size);
    const name = `${pass}, ${nameOf(shape)}`;
    if (macs > MOST || !pattern.test(name)) continue;
    const { family, direct, usual, run } = passes[pass](shape);
    const winograds = winogradTileSizes.map((tile) => ({ kernel: "winograd", tile }) as const);
    const ways: Variant[] = [direct, ...winograds];
    const by = (way: Variant) => () => engine.noGrad(() => engine.choices.forcing(family, way, run));
    const { timings, faults } = await measure(
      engine,
      ways.map(
        (way): Case => ({
          ...{ name: wayName(way), group: "conv2d", shape: nameOf(shape), bound: "compute" },
          ...{ bytes: 0, flops: 2 * macs, run: () => void by(way)() },
        }),
      ),
      { rounds: 5, warmUps: 1, host },
    );
    for (const fault of faults) console.log(`${name}: ${fault.case.name} ${fault.what}`);
    const times = timings.map((t) => t[t.by === "median" ? "wall" : t.by]!.median);
    const taken =
      wayName(usual) === wayName(direct) ? 0 : 1 + winograds.findIndex((w) => wayName(w) === wayName(usual));
    const cells = times.map((ms, i) => `${digits(ms)}${i === taken ? "*" : ""}`.padStart(8));
    console.log(
      `${name.padEnd(60)} ${cells.join("")} ms; of the direct way ${times
        .slice(1)
        .map((ms) => (ms / times[0]!).toFixed(2))
        .join(" ")}`,
    );
    if (options.kernels)
      for (const way of ways) {
        const step = recorded(engine, `${name} ${wayName(way)}`, by(way));
        const { rows } = await profile(engine, step, { repeats: 3, processorTime: aloneTime });
        console.log(`  ${wayName(way)}`);
        for (const k of rows)
          console.log(`    ${k.kernel} ${k.variant}: ${digits(k.ms)} ms, ${k.calls} calls`);
      }
    release(engine);
  }
engine.destroy();
