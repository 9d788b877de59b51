import { element } from "../dom.ts";
import type { View } from "../view.ts";
import "./bench.css";
import { Workbench } from "./workbench.ts";

/** The kernels on this very device, against its own limits. */
export const bench: View = {
  title: "Bench",
  async mount(root, page) {
    root.append(
      element(
        "p",
        {},
        "Every kernel is checked against a float64 oracle, then timed in rounds, each round running every case once, " +
          "and held against what this adapter can do at best, which is measured in the same rounds.",
      ),
    );
    const workbench = new Workbench(page);
    root.append(workbench.root);
    page.status("Ready. The quick selection takes seconds on a GPU and about a minute on a processor.");
    return () => workbench.end();
  },
};
