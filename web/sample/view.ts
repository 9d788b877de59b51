import { element } from "../dom.ts";
import type { View } from "../view.ts";

export const sample: View = {
  title: "Sample",
  async mount(root) {
    root.append(element("p", {}, "Not here yet."));
    return async () => {};
  },
};
