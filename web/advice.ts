import { button } from "./controls.ts";
import { element } from "./dom.ts";

const browsers = {
  "Chrome, Edge": "113 or later; on Linux perhaps with the flag below",
  Firefox: "141 or later on Windows, newer on other systems",
  Safari: "26 or later, on macOS, iOS and iPadOS",
} as const;

/** What to do where there is no adapter; `reason` is the engine's own message. */
export function advice(reason: string, again: () => void): HTMLElement {
  const list = element("dl");
  for (const [browser, version] of Object.entries(browsers))
    list.append(element("dt", {}, browser), element("dd", {}, version));
  return element(
    "section",
    { class: "advice" },
    element("h2", {}, "This page needs WebGPU, and found none"),
    element("p", { role: "alert" }, sentence(reason)),
    element("p", {}, "Browsers that have it:"),
    list,
    element(
      "p",
      {},
      "Without a GPU, Chrome and Chromium can run everything here on the processor: start them with ",
      element("code", {}, "--enable-unsafe-webgpu"),
      ", or turn on ",
      element("code", {}, "chrome://flags/#enable-unsafe-webgpu"),
      ".",
    ),
    button("Look again", again, { main: true }),
  );
}

/** The engine's message without the function that it begins with. */
const sentence = (message: string): string => {
  const said = message.replace(/^\w+: /, "");
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}.`;
};
