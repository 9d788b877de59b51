import type { Engine } from "../engine/engine.ts";

/** One of the page's views: what a route shows under the header. */
export interface View {
  /** In the document's title and as the heading of the view. */
  readonly title: string;

  /**
   * Fills `root`, which holds its heading (h2) and goes when the view is left. Build the controls at once; open the engine and load
   * what is needed when it is asked for. Resolves to what ends the view: it stops all work, waits until none of it
   * runs any more and frees every tensor, so that `engine.memory().live` is what it was. The next view is mounted after
   * that. By then `page.left` is aborted, so that a loop that watches the signal is on its way out.
   */
  mount(root: HTMLElement, page: Page): Promise<() => Promise<void>>;
}

/** What a view has of the page around it. Numbers are written by format.ts, controls by controls.ts, canvases by canvas.ts. */
export interface Page {
  /**
   * The engine of the page: one for all views, opened when first asked for, and another after the device was lost. Ask
   * anew at the start of each piece of work, and keep no tensor for another engine than the one it was made by. Throws
   * DeviceError where there is none.
   */
  engine(): Promise<Engine>;

  /** One line for people at the foot of the page, read out by screen readers: what has begun, ended or changed. Not each step. */
  status(line: string): void;

  /** Shows what went wrong until something new begins. A UsageError or DeviceError by its message; others are our faults. */
  fail(fault: unknown): void;

  /** Aborted when the view is left. */
  readonly left: AbortSignal;
}
