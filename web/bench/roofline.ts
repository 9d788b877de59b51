import { rooflinePlot } from "../../bench/roofline/plot.ts";
import type { CaseRecord, Line } from "../../bench/schema.ts";
import { element } from "../dom.ts";

/** The roofline of a run and its cases under it; nothing where the roofs have not been measured. */
export function rooflineFigure(lines: readonly Line[]): Node[] {
  const roofs = lines.find((line) => line.kind === "roofs");
  const cases = lines.filter((line): line is CaseRecord => line.kind === "case");
  const run = lines.find((line) => line.kind === "run");
  if (!roofs || !run) return [];
  const holder = element("div", { class: "scrolls" });
  holder.innerHTML = rooflinePlot({ roofs, cases, title: `Roofline of ${run.adapter}` });
  return [
    holder,
    element(
      "figcaption",
      {},
      "A case lies as high as the operations it does in a second, as far to the right as it does operations with each " +
        "byte it has to move. The line is what the adapter allows.",
    ),
  ];
}
