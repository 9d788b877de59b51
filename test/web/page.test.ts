/** The page around the views: what it says of the device, its routes, and what it says where there is no device. */
import { expect } from "vitest";
import { closeBrowsers, liveBytes, webTest } from "./browser.ts";

closeBrowsers();

webTest("opens at Sample and says that software runs it", {}, async ({ page }) => {
  await page.getByRole("heading", { level: 2, name: "Sample" }).waitFor();
  await expect(page.title()).resolves.toBe("Sample · Stein");
  await expect(page.locator("#adapter").textContent()).resolves.toMatch(
    /^Running on .*swiftshader.*: a processor plays GPU, correct but slow\.$/i,
  );
});

webTest("tells features and limits", {}, async ({ page }) => {
  await page.getByText("Features and limits").click();
  const facts = await page.locator("#facts").textContent();
  for (const term of ["f16", "subgroups", "timestamp queries", "largest buffer", "tensors hold now"])
    expect(facts).toContain(term);
  expect(await liveBytes(page)).toBeTypeOf("number");
});

webTest("shows the view that the address names, and each by its link", { at: "bench" }, async ({ page }) => {
  for (const name of ["Bench", "Learn", "Sample"]) {
    await page.getByRole("link", { name, exact: true }).click();
    await page.getByRole("heading", { level: 2, name }).waitFor();
    const current = page.locator('nav a[aria-current="page"]');
    await expect(current.textContent()).resolves.toBe(name);
  }
});

webTest("skips to the view without leaving it", { at: "learn" }, async ({ page }) => {
  await page.getByRole("heading", { level: 2, name: "Learn" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.evaluate(() => document.activeElement?.id)).resolves.toBe("view");
  await expect(page.title()).resolves.toBe("Learn · Stein");
});

const withoutGpu = { withoutGpu: true, expected: /^No available adapters\.$/ };

webTest("without an adapter says what to do, and looks again", withoutGpu, async ({ page }) => {
  await page.getByRole("heading", { level: 2, name: /needs WebGPU/ }).waitFor();
  await expect(page.getByRole("alert").first().textContent()).resolves.toMatch(/offers no adapter/);
  await expect(page.locator("dt").allTextContents()).resolves.toEqual(["Chrome, Edge", "Firefox", "Safari"]);
  await page.getByRole("button", { name: "Look again" }).click();
  await page.getByRole("heading", { level: 2, name: /needs WebGPU/ }).waitFor();
});
