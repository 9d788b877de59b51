/** Does Chromium start here and open a page? Exit code 1, with the reason, if not. For .ci/run. */
import { launchChromium, noChromium } from "../chromium.ts";

if (noChromium) {
  console.log(noChromium);
  process.exit(1);
}
const browser = await launchChromium();
await (await browser.newPage()).goto("about:blank");
await browser.close();
