import { element } from "../dom.ts";
import type { View } from "../view.ts";
import "./learn.css";
import { Lesson } from "./lesson.ts";

/** A toy set on the plane, learned before the eyes. */
export const learn: View = {
  title: "Learn",
  async mount(root, page) {
    root.append(
      element(
        "p",
        {},
        "A small network learns the score of points on the plane, the gradient of their log density. " +
          "The arrows are what it has learned so far; the particles follow it by Langevin dynamics.",
      ),
    );
    const lesson = new Lesson(page);
    root.append(lesson.root);
    page.status("Ready. Start trains the network on this device.");
    return () => lesson.end();
  },
};
