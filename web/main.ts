import "./dispose.ts";
import { DeviceError, UsageError } from "../engine/errors.ts";
import { advice } from "./advice.ts";
import { bench } from "./bench/view.ts";
import { Device } from "./device.ts";
import { element, known } from "./dom.ts";
import { showAdapter, showMemory, showPlace } from "./header.ts";
import { learn } from "./learn/view.ts";
import { route } from "./router.ts";
import { sample } from "./sample/view.ts";

const views = { sample, learn, bench };

const device = new Device(showAdapter);
const [place, words, fault] = [known("view"), known("status"), known("fault")];

function say(line: string): void {
  words.textContent = line;
  fault.hidden = true;
}

function fail(cause: unknown): void {
  const ours = !(cause instanceof UsageError || cause instanceof DeviceError);
  if (ours) console.error(cause);
  fault.textContent = ours ? `A fault of this page: ${String(cause)}` : cause.message;
  fault.hidden = false;
}

/** Opens the device and shows the views; where there is none, what can be done about it. */
async function start(): Promise<void> {
  try {
    await device.open();
  } catch (cause) {
    known("adapter").textContent = "No WebGPU here.";
    place.replaceChildren(advice((cause as Error).message, () => void start()));
    return;
  }
  route(views, {
    async enter(name, view, left) {
      document.title = `${view.title} · Stein`;
      showPlace(name);
      say("");
      const root = element("div", { class: `view ${name}` });
      place.replaceChildren(root);
      root.append(element("h2", {}, view.title));
      const status = (line: string) => {
        if (!left.aborted) say(line); // a view's last words are not for the next
      };
      return view.mount(root, { engine: () => device.open(), status, fail, left });
    },
    cleared() {
      device.current?.trim();
      showMemory(device.current);
    },
    fail,
  });
}

// A link to the view's place would be taken for the name of a view.
known("skip").addEventListener("click", (event) => {
  event.preventDefault();
  place.focus();
});

void start();
