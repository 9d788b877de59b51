import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "jpeg-js";
import { readConfig } from "../cli/config.ts";
import { packaged } from "../cli/packaged.ts";
import { openRun } from "../cli/run.ts";
import { type ImageSet, split } from "../data/dataset.ts";
import { imageFolder } from "../data/image-folder.ts";
import { decodingThreads, type StreamedSet } from "../data/streamed.ts";
import type { Engine } from "../engine/engine.ts";

/** Milliseconds of an average training step, and of it those spent on images. */
export interface Loading {
  readonly step: number;
  /** Reading images into the batch, waiting included. */
  readonly reading: number;
  /** Waiting for images that were not decoded yet. */
  readonly waiting: number;
}

export interface LoadingReport {
  /** "16 of 178x218 JPEG a step", and how many threads decode. */
  readonly what: string;
  /** Every image decoded before the first step. */
  readonly memory: Loading;
  /** Every image decoded for the step that wants it, none met twice. */
  readonly streamed: Loading;
}

const WARM_UP = 3; // steps: kernels compile, threads start
const STEPS = 12;
const [WIDTH, HEIGHT] = [178, 218]; // CelebA's

/** What images cost a training step of the demo's network, on the first epoch of a folder of JPEG files. */
export async function measureLoading(engine: Engine): Promise<LoadingReport> {
  const config = readConfig(packaged("configs/demo.yaml"));
  const { batchSize } = config.training;
  const count = (WARM_UP + STEPS + 5) * batchSize; // the look-ahead may not run into the second epoch
  const folder = mkdtempSync(join(tmpdir(), "stein-loading-"));
  try {
    for (let n = 0; n < count; n++) writeFileSync(join(folder, `${n}.jpg`), picture(n));
    const given = { size: 28, channels: 1, crop: 140, resize: "bilinear" } as const;
    const measure = async (stream: boolean) => {
      const set = imageFolder(folder, { ...given, stream });
      try {
        const { train, heldBack } = split(set, { heldBack: batchSize });
        return await time(engine, set, (timed) =>
          openRun(engine, config, folder, { train: timed(train), heldBack }),
        );
      } finally {
        if (stream) await (set as StreamedSet).close();
      }
    };
    const memory = await measure(false);
    const threads = decodingThreads();
    return {
      what: `${batchSize} JPEG files of ${WIDTH}x${HEIGHT} a step, ${threads} decoding ${threads === 1 ? "thread" : "threads"}`,
      memory,
      streamed: await measure(true),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function time(
  engine: Engine,
  set: ImageSet & Partial<StreamedSet>,
  open: (timed: (set: ImageSet) => ImageSet) => ReturnType<typeof openRun>,
): Promise<Loading> {
  let reading = 0;
  const { trainer } = open((part) => ({
    ...part,
    image(i, out, offset) {
      const start = performance.now();
      part.image(i, out, offset);
      reading += performance.now() - start;
    },
  }));
  try {
    const run = async (steps: number) => {
      for (let n = 0; n < steps; n++) {
        trainer.advance();
        await trainer.reports();
      }
      await engine.sync();
    };
    await run(WARM_UP);
    const before = { reading, waited: set.stats?.().waited ?? 0, at: performance.now() };
    await run(STEPS);
    return {
      step: (performance.now() - before.at) / STEPS,
      reading: (reading - before.reading) / STEPS,
      waiting: ((set.stats?.().waited ?? 0) - before.waited) / STEPS,
    };
  } finally {
    trainer.dispose();
  }
}

/** Smooth colours with some grain, as photographs are. */
function picture(n: number): Uint8Array {
  const data = new Uint8Array(4 * WIDTH * HEIGHT);
  for (let p = 0; p < WIDTH * HEIGHT; p++) {
    const [x, y] = [p % WIDTH, Math.floor(p / WIDTH)];
    const grain = ((p * 2654435761 + n) >>> 20) % 16;
    for (let c = 0; c < 3; c++)
      data[4 * p + c] = 120 + 60 * Math.sin((x + n) / (9 + c)) + 40 * Math.cos(y / (13 - c)) + grain;
  }
  return encode({ width: WIDTH, height: HEIGHT, data }, 85).data;
}
