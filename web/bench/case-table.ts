import type { Fault, Measured, Timing } from "../../bench/harness.ts";
import { milliseconds, Rates, rate, units } from "../../bench/rates.ts";
import { element } from "../dom.ts";
import { number } from "../format.ts";

const titles = ["Case", "Shape", "ms", "middle half", "gpu ms", "rate", "of its roof"];

/** What has been measured, a row for each case: it grows as the rounds go by. */
export class CaseTable {
  readonly root: HTMLElement;
  readonly #body = element("tbody");

  constructor() {
    this.root = element(
      "div",
      { class: "scrolls", tabindex: 0, role: "region", "aria-label": "Measured cases" },
      element(
        "table",
        {},
        element("caption", {}, "Milliseconds of one run of each case: the median over the rounds."),
        element(
          "thead",
          {},
          element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title))),
        ),
        this.#body,
      ),
    );
    this.root.hidden = true;
  }

  show({ timings, faults }: Measured): void {
    const rates = new Rates(timings);
    this.#body.replaceChildren(...faults.map(wrong), ...timings.map((t) => row(t, rates)));
    this.root.hidden = timings.length + faults.length === 0;
  }
}

function row(t: Timing, rates: Rates): HTMLTableRowElement {
  const { wall, gpu, by } = t;
  const [perSecond, share] = [rate(t, by), rates.ofRoofline(t, by)];
  const cells = [
    t.case.shape,
    number(milliseconds(t, "median")!),
    `${number(wall.lower)} – ${number(wall.upper)}`,
    gpu ? number(gpu.median) : "–",
    perSecond === undefined ? "–" : `${number(perSecond)} ${units[t.case.bound]}`,
  ];
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, t.case.name),
    ...cells.map((text) => element("td", {}, text)),
    element("td", {}, ...(share === undefined ? ["–"] : bar(share))),
  );
}

/** A share as a number and a bar of that length. */
const bar = (share: number): Node[] => [
  element("span", {
    class: "bar",
    "aria-hidden": "true",
    style: `--share: ${Math.min(1, share).toFixed(3)}`,
  }),
  element("span", { class: "share" }, `${(100 * share).toFixed(0)} %`),
];

const wrong = ({ case: { name, shape }, what }: Fault): HTMLTableRowElement =>
  element(
    "tr",
    { class: "wrong" },
    element("th", { scope: "row" }, name),
    element("td", {}, shape),
    element("td", { colspan: titles.length - 2 }, `WRONG, and so not timed: ${what}`),
  );
