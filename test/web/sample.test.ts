/** The Sample view, clicked through in a browser, and its images beside those that Node draws from the same seed. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { scale } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { annealedInpainting, annealedLangevin, consistentAnnealing } from "../../samplers/index.ts";
import { engine } from "../support/engine.ts";
import { closeBrowsers, liveBytes, webTest } from "./browser.ts";
import { about, bytes, checkpoint, openScore, sha256, sigmas } from "./shipped.ts";

closeBrowsers();

interface Saved {
  network: { sha256: string };
  settings: { seed: number };
  given?: { pixels: number[]; known: number[] };
  done: number;
  total: number;
  shape: number[];
  values: number[];
}

async function fill(page: Page, values: Record<string, number>): Promise<void> {
  for (const [label, value] of Object.entries(values))
    await page.getByLabel(label, { exact: true }).fill(`${value}`);
}

const said = (page: Page, pattern: RegExp) => page.locator("#status").filter({ hasText: pattern }).waitFor();

async function save(page: Page): Promise<Saved> {
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Save values" }).click(),
  ]);
  return JSON.parse(readFileSync(await download.path(), "utf8")) as Saved;
}

const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

const short = { sigmas, stepsPerLevel: 1, epsilon: 2e-5 };

/**
 * Values reach 5, where float32 numbers are 5e-7 apart, and two drivers' kernels differ by a few of that in each of 11
 * evaluations; measured between SwiftShader and lavapipe: 5e-7. A step or a label amiss changes them by more than 0.01.
 */
const TOLERANCE = 1e-5;

test("the checkpoint is the one its description tells of, small enough for a page", () => {
  expect(sha256).toBe(about.sha256);
  expect(bytes.length).toBeLessThan(2_000_000);
  const { data, sigmas, sampling, training } = parseConfig(
    checkpoint.config,
    "the checkpoint's configuration",
  );
  const { stepsPerLevel, epsilon, seed } = sampling as Record<string, unknown>;
  expect(about).toMatchObject({
    sigmas,
    heldBack: data.heldBack,
    sampling: { stepsPerLevel, epsilon, seed },
  });
  expect(about.steps).toBe(training.steps);
});

webTest(
  "draws what Node draws by both samplers, says how far it is, and gives all memory back",
  {},
  async (visit) => {
    const { page } = visit;
    await page.getByRole("button", { name: "Start" }).waitFor();
    const before = await liveBytes(page);
    await fill(page, { Images: 2, "Steps a level": 1, Seed: 11 });
    await page.getByRole("button", { name: "Start" }).click();
    await said(page, /^Done: 2 images in/);
    await expect(page.locator(".figures").textContent()).resolves.toMatch(
      /^step 10 of 10 · level 10 of 10, σ 0\.01 · [\d.]+ steps\/s$/,
    );
    const saved = await save(page);
    expect(saved).toMatchObject({ network: { sha256 }, settings: { seed: 11 }, done: 10, total: 10 });
    expect(saved.shape).toEqual([2, 1, 28, 28]);

    const score = openScore(engine);
    const drawnBy = async (seed: number) => {
      using x = await annealedLangevin(engine, score, saved.shape, { ...short, prior: "normal", seed });
      return x.data();
    };
    expect(difference(saved.values, await drawnBy(11))).toBeLessThan(TOLERANCE);
    expect(difference(saved.values, await drawnBy(12))).toBeGreaterThan(1);

    await page.getByLabel("Sampler").selectOption("consistent");
    await fill(page, { Images: 3 }); // so that what is said of it is not what was said before
    await page.getByRole("button", { name: "Start" }).click();
    await said(page, /^Done: 3 images in/);
    const consistent = await save(page);
    const step = { sigmas, epsilon: sigmas.at(-1)! ** 2, seed: 11 };
    using y = await consistentAnnealing(engine, score, consistent.shape, step);
    expect(difference(consistent.values, await y.data())).toBeLessThan(TOLERANCE);

    const held = await liveBytes(page);
    expect(held).toBeGreaterThan(500_000); // the network is still there
    await page.getByRole("link", { name: "Learn" }).click();
    await page.getByRole("heading", { level: 2, name: "Learn" }).waitFor();
    expect(await liveBytes(page)).toBe(before);
  },
);

webTest("stops, and may be left amid a drawing and entered again", {}, async ({ page }) => {
  const start = page.getByRole("button", { name: "Start" });
  const stop = page.getByRole("button", { name: "Stop" });
  await start.waitFor();
  const before = await liveBytes(page);
  await fill(page, { Images: 1, "Steps a level": 1000 });
  await start.click();
  await page
    .locator(".figures")
    .filter({ hasText: /^step \d\d of 10000 .* left$/ })
    .waitFor();
  await stop.click();
  await said(page, /^Stopped after step \d+ of 10000\.$/);
  await expect(stop.isDisabled()).resolves.toBe(true);
  const { done, values } = await save(page);
  expect(done).toBeLessThan(10_000);
  expect(values.every(Number.isFinite)).toBe(true);

  await start.click();
  await page
    .locator(".figures")
    .filter({ hasText: /^step \d+ of 10000/ })
    .waitFor();
  await page.getByRole("link", { name: "Bench" }).click();
  await page.getByRole("heading", { level: 2, name: "Bench" }).waitFor();
  expect(await liveBytes(page)).toBe(before);

  await page.getByRole("link", { name: "Sample" }).click();
  await fill(page, { Images: 1, "Steps a level": 1 });
  await start.click();
  await said(page, /^Done: 1 image in/);
});

webTest("hides what mouse and keyboard paint, and draws just that", { height: 1200 }, async ({ page }) => {
  await page.getByLabel("Draw", { exact: true }).selectOption("rest");
  await page.getByRole("button", { name: "Nothing" }).click();
  const editor = page.getByRole("application");
  await editor.scrollIntoViewIfNeeded();
  const words = () => editor.getAttribute("aria-label");
  await expect(words()).resolves.toMatch(/^The digit 3; 0 of 784 pixels hidden; cursor at column 15, row 15/);

  await page.getByLabel("Its width").selectOption("1");
  const box = (await editor.boundingBox())!;
  const at = (x: number, y: number) =>
    [box.x + ((x + 0.5) / 28) * box.width, box.y + ((y + 0.5) / 28) * box.height] as const;
  await page.mouse.move(...at(5, 9));
  await page.mouse.down();
  await page.mouse.move(...at(8, 9)); // passes 6 and 7 in one go
  await page.mouse.up();
  await expect(words()).resolves.toMatch(/; 4 of 784 pixels hidden; cursor at column 9, row 10, .* hidden$/);

  await editor.focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Space");
  await expect(words()).resolves.toMatch(/; 5 of 784 pixels hidden; cursor at column 10, row 11, .* hidden$/);
  await page.getByLabel("Brush").selectOption("show");
  await editor.focus();
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Space");
  await expect(words()).resolves.toMatch(/; 4 of 784 pixels hidden; cursor at column 9, row 10, .* known$/);

  await fill(page, { Images: 2, "Steps a level": 1, Seed: 5 });
  await page.getByRole("button", { name: "Start" }).click();
  await said(page, /^Done: 2 images in/);
  const { given, values, shape } = await save(page);
  const hidden = [9 * 28 + 5, 9 * 28 + 6, 9 * 28 + 7, 10 * 28 + 9];
  expect(given!.known.flatMap((known, i) => (known === 0 ? [i] : []))).toEqual(hidden);

  const [known, mask] = [given!.pixels, given!.known].map((v) => engine.tensor(v, [1, 1, 28, 28])) as [
    Tensor,
    Tensor,
  ];
  using start = scale(randn(engine, shape, { seed: 5, purpose: "prior" }), sigmas[0]!);
  const score = openScore(engine);
  await annealedInpainting(engine, score, shape, { ...short, known, mask, start, seed: 5 });
  expect(difference(values, await start.data())).toBeLessThan(TOLERANCE);
  for (const [i, value] of values.entries())
    if (!hidden.includes(i % 784)) expect(value).toBeCloseTo(given!.pixels[i % 784]!, 6);
});

webTest("refuses what the sampler cannot take, in one line", {}, async ({ page }) => {
  const start = page.getByRole("button", { name: "Start" });
  const fault = page.locator("#fault");
  await start.waitFor();
  await fill(page, { Images: 65 });
  await start.click();
  await expect(fault.textContent()).resolves.toBe("Images: got 65, expected a whole number from 1 to 64");
  const border = (label: string) =>
    page.getByLabel(label, { exact: true }).evaluate((input) => getComputedStyle(input).borderTopColor);
  expect(await border("Images")).not.toBe(await border("Seed"));
  await fill(page, { Images: 1 });
  await page.getByLabel("Sampler").selectOption("consistent");
  await fill(page, { "Step size ε": 0.5 });
  await start.click();
  await fault
    .filter({ hasText: /^consistent annealed sampling: got epsilon 0\.5 for these scales/ })
    .waitFor();
  await expect(start.isDisabled()).resolves.toBe(false);
});

/** Lets the test take the page's newest device away. */
function holdDevice(): void {
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (options) {
    const device = await requestDevice.call(this, options);
    Object.assign(globalThis, { loseDevice: () => device.destroy() });
    return device;
  };
}

webTest("says that the device was lost, and draws on another", { before: holdDevice }, async ({ page }) => {
  const start = page.getByRole("button", { name: "Start" });
  await start.waitFor();
  await fill(page, { Images: 1, "Steps a level": 1000 });
  await start.click();
  await page
    .locator(".figures")
    .filter({ hasText: /^step \d+ of 10000/ })
    .waitFor();
  await page.evaluate(() => (globalThis as unknown as { loseDevice: () => void }).loseDevice());
  await page.locator("#fault").filter({ hasText: "the device was lost" }).waitFor();
  await expect(page.locator("#adapter").textContent()).resolves.toMatch(/^The GPU device was lost/);
  await fill(page, { "Steps a level": 1 });
  await start.click();
  await said(page, /^Done: 1 image in/);
  await expect(page.locator("#adapter").textContent()).resolves.toMatch(/^Running on/);
});
