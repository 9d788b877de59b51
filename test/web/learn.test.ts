/** The Learn view: trains, shows and tells what the closed forms say, takes drawn points, and leaves nothing behind. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { twoGaussians } from "../../data/toys.ts";
import type { LearnValues } from "../../web/learn/values.ts";
import { near } from "../../web/learn/words.ts";
import { closeBrowsers, liveBytes, webTest } from "./browser.ts";

closeBrowsers();

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
const numberIn = async (page: Page, id: string): Promise<number> =>
  Number.parseFloat((await page.locator(id).textContent())!.replaceAll(",", ""));

async function saved(page: Page): Promise<LearnValues> {
  const [download] = await Promise.all([page.waitForEvent("download"), button(page, "Save values").click()]);
  return JSON.parse(readFileSync(await download.path(), "utf8"));
}

/** Pixels of the plane that have a mark's colour. */
const pixelsOf = (page: Page, mark: string): Promise<number> =>
  page.evaluate((name) => {
    const canvas = document.querySelector<HTMLCanvasElement>("canvas.plane")!;
    const hex = getComputedStyle(canvas).getPropertyValue(`--mark-${name}`).trim();
    const wanted = [1, 3, 5].map((i) => Number.parseInt(hex.slice(i, i + 2), 16));
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {
      willReadFrequently: true,
    })!;
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] === 255 && wanted.every((value, c) => Math.abs(data[i + c]! - value) < 12)) count++;
    return count;
  }, mark);

/** The relative Fisher divergence of the arrows at sigma 1, by a sum over the grid in place of points. */
function divergenceOnGrid({ grid, learned }: LearnValues): number {
  const truth = twoGaussians.score(grid, 1);
  let [miss, size] = [0, 0];
  for (const [k, logDensity] of twoGaussians.logDensity(grid, 1).entries()) {
    const [i, density] = [2 * k, Math.exp(logDensity)];
    miss += density * ((learned[i]! - truth[i]!) ** 2 + (learned[i + 1]! - truth[i + 1]!) ** 2);
    size += density * (truth[i]! ** 2 + truth[i + 1]! ** 2);
  }
  return miss / size;
}

const MOVED = 300;

const mean = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0) / values.length;

webTest("learns a score by denoising, before the eyes and in numbers", { at: "learn" }, async ({ page }) => {
  await page.getByLabel("Points", { exact: true }).selectOption("two_gaussians");
  await page.getByLabel("Sigma", { exact: true }).fill("1");
  await page.getByLabel("Learning rate").fill("0.02");
  expect(await pixelsOf(page, "learned")).toBe(0);
  await button(page, "Start").click();
  await page.waitForFunction(
    () => Number.parseFloat(document.querySelector("#learn-divergence")!.textContent!) < 0.4,
    undefined,
    { timeout: 60_000 },
  );
  // Points that started all over the plane need steps to come to the centres, however soon the score is learnt.
  const learnt = await numberIn(page, "#learn-steps");
  await expect
    .poll(() => numberIn(page, "#learn-steps"), { timeout: 60_000 })
    .toBeGreaterThan(learnt + MOVED);
  await button(page, "Pause").click();
  await page.getByText(/^Paused after/).waitFor();
  await expect
    .poll(() => page.locator("canvas.plane").getAttribute("aria-label"))
    .toMatch(/divergence is 0\.\d/);

  const values = await saved(page);
  expect(values.losses.length).toBe(values.steps);
  expect(await numberIn(page, "#learn-steps")).toBe(values.steps);
  expect(mean(values.losses.slice(-20))).toBeLessThan(0.9 * mean(values.losses.slice(0, 20)));
  expect(values.divergences[0]!.step).toBe(0);
  expect(values.divergences[0]!.value).toBeGreaterThan(0.8);
  expect(values.divergences.at(-1)!.value).toBeLessThan(0.4);

  expect(values.learned.length).toBe(2 * 21 * 21);
  const { mean: shown, error } = values.shown.divergence!.relative;
  expect(Math.abs(divergenceOnGrid(values) - shown)).toBeLessThan(4 * error);
  const centres = twoGaussians.components.flatMap((c) => [...c.mean]);
  const byChance = near(values.grid, centres, 3); // where the chains began, all over the plane
  expect(near(values.particles, centres, 3)).toBeGreaterThan(byChance + 0.2);

  expect(await pixelsOf(page, "learned")).toBeGreaterThan(3000);
  expect(await pixelsOf(page, "particles")).toBeGreaterThan(1000);
  expect(await pixelsOf(page, "truth")).toBe(0);
  await page.getByLabel("True score", { exact: true }).check();
  expect(await pixelsOf(page, "truth")).toBeGreaterThan(1000);
  await page.getByLabel("Moving particles").uncheck();
  expect(await pixelsOf(page, "particles")).toBe(0);
});

webTest(
  "a ladder on points drawn by hand; leaving frees all, and it begins again",
  { at: "learn" },
  async ({ page }) => {
    await page.getByRole("heading", { level: 2, name: "Learn" }).waitFor();
    const before = await liveBytes(page);
    await page.getByLabel("Points", { exact: true }).selectOption("own");
    await button(page, "Start").click();
    await page.getByText("Points: got none, expected at least one").waitFor();

    const canvas = page.locator("canvas.plane");
    await canvas.focus();
    for (const key of ["ArrowLeft", "ArrowUp", " "]) await page.keyboard.press(key);
    const box = (await canvas.boundingBox())!;
    await page.mouse.move(box.x + 0.75 * box.width, box.y + 0.5 * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + 0.75 * box.width, box.y + 0.6 * box.height, { steps: 4 });
    await page.mouse.up();
    await page.getByLabel("Noise", { exact: true }).selectOption("ladder");
    await page.getByLabel("Scales", { exact: true }).fill("3");
    await page.getByLabel("Loss", { exact: true }).selectOption("ssm-vr");
    await button(page, "Start").click();
    await page.waitForFunction(() => Number(document.querySelector("#learn-steps")!.textContent) >= 5);
    await page.getByLabel("Arrows at noise scale").fill("0");
    await button(page, "Pause").click();
    await expect.poll(async () => (await saved(page)).shown.sigma).toBe(4);
    const values = await saved(page);
    expect(values.sigmas.length).toBe(3);
    expect(values.losses.every(Number.isFinite)).toBe(true);
    expect(values.set).toBe("Your own points");
    expect(await liveBytes(page)).toBeGreaterThan(before);

    await page.getByRole("link", { name: "Bench", exact: true }).click();
    await page.getByRole("heading", { level: 2, name: "Bench" }).waitFor();
    expect(await liveBytes(page)).toBe(before);
    await page.getByRole("link", { name: "Learn", exact: true }).click();
    await button(page, "Start").click();
    await page.waitForFunction(() => Number(document.querySelector("#learn-steps")!.textContent) >= 1);
    await page.getByRole("link", { name: "Bench", exact: true }).click(); // while it runs
    await page.getByRole("heading", { level: 2, name: "Bench" }).waitFor();
    expect(await liveBytes(page)).toBe(before);
  },
);

webTest("names what was typed wrong, labels every control", { at: "learn" }, async ({ page }) => {
  await page.getByLabel("Learning rate").fill("0");
  await button(page, "Start").click();
  await page.getByText("Learning rate: got 0, expected a number from").waitFor();
  await expect(button(page, "Start").isVisible()).resolves.toBe(true);
  const bare = await page.$$eval("main input, main select, main button", (controls) =>
    controls.filter((c) => !(c as HTMLInputElement).labels?.length && !c.textContent).map((c) => c.outerHTML),
  );
  expect(bare).toEqual([]);
  await expect(page.locator("canvas.plane").getAttribute("role")).resolves.toBe("img");
});
