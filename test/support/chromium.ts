import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const usual = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe",
];
const asked = process.env["STEIN_CHROMIUM"];
const executablePath = asked ?? usual.find((path) => existsSync(path));

/** Why no test can run in a browser here; undefined where one can. */
export const noChromium =
  executablePath === undefined
    ? "no Chromium found: install one, or name it in STEIN_CHROMIUM"
    : existsSync(executablePath)
      ? undefined
      : `no Chromium at STEIN_CHROMIUM=${asked}`;

/** A headless Chromium, whose WebGPU runs on the software driver it brings; without a GPU it offers no adapter. */
export const launchChromium = ({ withoutGpu = false } = {}): Promise<Browser> =>
  chromium.launch({
    executablePath: executablePath!,
    headless: true,
    args: ["--no-sandbox", ...(withoutGpu ? [] : ["--enable-unsafe-webgpu"])],
  });
