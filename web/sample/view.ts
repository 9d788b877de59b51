import "./sample.css";
import { geometricSigmas } from "../../train/sigmas.ts";
import { button } from "../controls.ts";
import { element } from "../dom.ts";
import * as format from "../format.ts";
import type { Page, View } from "../view.ts";
import { type About, fetchShipped } from "./checkpoint.ts";
import { requireSettings } from "./drawing.ts";
import { Pictures } from "./pictures.ts";
import { Session } from "./session.ts";
import { SettingsForm } from "./settings.ts";

export const sample: View = {
  title: "Sample",
  async mount(root, page) {
    const shipped = fetchShipped(page.left);
    const session = new Session(page, shipped);
    try {
      build(root, page, session, (await shipped).about);
    } catch (fault) {
      if (!page.left.aborted) throw fault;
    }
    return () => session.close();
  },
};

function build(root: HTMLElement, page: Page, session: Session, about: About): void {
  const form = new SettingsForm(about);
  const start = button("Start", () => void run(), { main: true });
  const stop = button("Stop", () => session.stop());
  const pictures = new Pictures(about, start, stop);
  const drawing = (now: boolean) => {
    start.disabled = now;
    stop.disabled = !now;
  };
  const blank = () => {
    if (stop.disabled && form.count.input.checkValidity()) pictures.blank(form.count.value);
  };
  form.count.input.addEventListener("change", blank);
  drawing(false);
  blank();
  root.append(introduction(about), element("div", { class: "columns" }, form.root, pictures.root));

  async function run(): Promise<void> {
    try {
      const settings = form.settings();
      requireSettings(settings, geometricSigmas(about.sigmas));
      const engine = await page.engine();
      drawing(true);
      page.status("Opening the network …");
      const watch = pictures.begin(settings, engine);
      const values = await session.draw(settings, watch);
      page.status(values ? pictures.finish(values) : pictures.stopped());
    } catch (fault) {
      if (!page.left.aborted) page.fail(fault);
    } finally {
      drawing(false);
    }
  }
}

function introduction({ parameters, steps, batchSize, sigmas }: About): HTMLElement {
  return element(
    "p",
    { class: "introduction" },
    `A network of ${format.count(parameters)} parameters, trained for ${format.count(steps)} steps of batch ${batchSize} on drawn ` +
      "digits, tells of any noisy image which way it becomes more probable: the score, ∇ log p(x). From pure noise, " +
      `the sampler follows it through ${sigmas.count} noise scales, σ from ${sigmas.begin} down to ${sigmas.end}.`,
  );
}
