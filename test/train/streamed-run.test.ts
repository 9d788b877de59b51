import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encode } from "fast-png";
import { expect, onTestFinished, test } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { openRun } from "../../cli/run.ts";
import { split } from "../../data/dataset.ts";
import { imageFolder } from "../../data/image-folder.ts";
import type { StreamedSet } from "../../data/streamed.ts";
import { tiny } from "../cli/stein.ts";
import { engine } from "../support/engine.ts";

test("a training on a folder streamed through little memory has the losses of one in memory, bit for bit", async () => {
  const folder = mkdtempSync(join(tmpdir(), "stein-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (let n = 0; n < 24; n++) {
    const data = Uint8Array.from({ length: 100 }, (_, i) => (i * (2 * n + 3)) % 256);
    writeFileSync(join(folder, `${n}.png`), encode({ width: 10, height: 10, channels: 1, depth: 8, data }));
  }
  const config = parseConfig(
    tiny({
      data: { name: "folder", path: folder, channels: 1, crop: 8, count: 24, heldBack: 4, flip: true },
    }),
    "tiny",
  );
  const losses = async (stream: boolean) => {
    const set = imageFolder(folder, { size: 8, channels: 1, crop: 8, stream, memory: (12 * 64) / 2 ** 20 });
    if (stream) onTestFinished(() => (set as StreamedSet).close());
    const { trainer } = openRun(engine, config, folder, split(set, { heldBack: 4 }));
    try {
      for (let step = 0; step < 12; step++) trainer.advance(); // two epochs and a half
      return { reports: await trainer.reports(), peak: (set as Partial<StreamedSet>).stats?.().peak };
    } finally {
      trainer.dispose();
    }
  };
  const [memory, streamed] = [await losses(false), await losses(true)];
  expect(streamed.reports).toEqual(memory.reports);
  expect(streamed.peak).toBeLessThanOrEqual(12);
});
