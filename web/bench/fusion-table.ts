import { type FusionRow, pathInWords } from "../../bench/fusion.ts";
import { element } from "../dom.ts";
import { number } from "../format.ts";

const titles = ["Update", "Path", "Kernels", "MB moved", "ms", "middle half", "beyond the network"];

/** A sampler's step by each of its paths, a row each. */
export function fusionTable(rows: readonly FusionRow[]): HTMLElement {
  const [first] = rows;
  const network =
    first &&
    `The network alone: ${first.network.kernels} kernels, ${number(first.network.time.wall.median)} ms.`;
  return element(
    "div",
    { class: "scrolls", tabindex: 0, role: "region", "aria-label": "Paths of a sampler's step" },
    element(
      "table",
      {},
      element("caption", {}, `A step of batch ${first?.batch ?? 0} by each path. ${network ?? ""}`),
      element(
        "thead",
        {},
        element("tr", {}, ...titles.map((title) => element("th", { scope: "col" }, title))),
      ),
      element("tbody", {}, ...rows.map(rowOf)),
    ),
  );
}

function rowOf({ update, fusion, replayed, kernels, bytes, step, share }: FusionRow): HTMLTableRowElement {
  const { median, lower, upper } = step.wall;
  const cells = [
    `${pathInWords[fusion]}, ${replayed ? "replayed" : "launched"}`,
    `${kernels}`,
    number(bytes / 1e6),
    number(median),
    `${number(lower)} – ${number(upper)}`,
    `${(100 * share).toFixed(0)} %`,
  ];
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, update),
    ...cells.map((text) => element("td", {}, text)),
  );
}
