import type { Engine } from "../engine/engine.ts";
import { adapterFacts, adapterLine, memoryLine } from "./adapter.ts";
import { known } from "./dom.ts";

/** Shows what runs the kernels; undefined: the device was lost. */
export function showAdapter(engine: Engine | undefined): void {
  const line = known("adapter");
  const details = known<HTMLDetailsElement>("details");
  details.hidden = !engine;
  if (!engine) {
    line.textContent = "The GPU device was lost; another is opened when it is needed.";
    return;
  }
  line.textContent = `Running on ${adapterLine(engine)}.`;
  line.classList.toggle("software", engine.driver.software);
  known("facts").replaceChildren(adapterFacts(engine));
  details.ontoggle = () => showMemory(engine);
}

/** Brings the line about memory up to date. */
export function showMemory(engine: Engine | undefined): void {
  const line = document.getElementById("memory");
  if (line && engine) line.textContent = memoryLine(engine);
}

/** Marks the link to the view that is shown. */
export function showPlace(route: string): void {
  for (const link of known("views").querySelectorAll("a"))
    if (link.hash === `#${route}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
}
