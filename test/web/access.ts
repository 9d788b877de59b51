import type { Page } from "playwright-core";

/** What keeps people from using a view by ear, keyboard or narrow screen, in words; empty when nothing does. */
export const barriers = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const faults: string[] = [];
    const shown = (e: Element) => (e as HTMLElement).offsetParent !== null;
    const name = (e: Element) => e.outerHTML.slice(0, 90);
    for (const control of document.querySelectorAll<HTMLInputElement>("input, select, textarea"))
      if (!control.labels?.length && !control.ariaLabel) faults.push(`no label: ${name(control)}`);
    for (const act of document.querySelectorAll("button, a, summary"))
      if (!act.textContent?.trim() && !act.ariaLabel) faults.push(`no name: ${name(act)}`);
    for (const canvas of document.querySelectorAll("canvas, svg")) {
      const role = canvas.getAttribute("role");
      if (!["img", "application"].includes(role ?? "") || !canvas.ariaLabel)
        faults.push(`a picture without words: ${name(canvas)}`);
      if (role === "application" && (canvas as HTMLElement).tabIndex !== 0)
        faults.push(`out of the keyboard's reach: ${name(canvas)}`);
    }
    for (const bar of document.querySelectorAll("progress, meter"))
      if (!bar.ariaLabel) faults.push(`no label: ${name(bar)}`);
    for (const field of document.querySelectorAll("fieldset"))
      if (!field.querySelector("legend")) faults.push(`no legend: ${name(field)}`);
    let level = 0;
    for (const heading of [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown)) {
      const here = Number(heading.tagName[1]);
      if (here > level + 1) faults.push(`h${here} after h${level}: ${name(heading)}`);
      level = here;
    }
    if (document.querySelectorAll("h1").length !== 1) faults.push("not one h1");
    const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`twice the id ${id}`);
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) faults.push(`${scrollWidth} pixels wide on a screen of ${clientWidth}`);
    return faults;
  });

/** Contrast of two colours, #rrggbb or #rgb. WCAG 2.1: 4.5 for text, 3 for edges and large letters. */
export function contrast(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((p, q) => q - p) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const digits = colour.length === 4 ? colour.replace(/[^#]/g, "$&$&") : colour;
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(digits.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
