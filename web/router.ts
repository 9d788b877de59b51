import type { View } from "./view.ts";

/** What the router needs of the page. */
interface Stage {
  /** Makes ready for a view, which `left` will tell that it is left, and mounts it. */
  enter(route: string, view: View, left: AbortSignal): Promise<() => Promise<void>>;
  /** Told after a view has ended. */
  cleared(): void;
  fail(fault: unknown): void;
}

/**
 * Shows the view that the address names after its "#", the first where it names none. One view at a time: the next is
 * mounted when the one before has ended, and those that were asked for meanwhile are passed over.
 */
export function route(views: Readonly<Record<string, View>>, stage: Stage): void {
  let turn: Promise<void> = Promise.resolve();
  let leaving = new AbortController();
  let end: (() => Promise<void>) | undefined;
  let asked: string;

  const change = async (name: string): Promise<void> => {
    if (name !== asked) return;
    try {
      await end?.();
    } catch (fault) {
      stage.fail(fault);
    }
    end = undefined;
    stage.cleared();
    leaving = new AbortController();
    if (name !== asked) return;
    try {
      end = await stage.enter(name, views[name]!, leaving.signal);
    } catch (fault) {
      stage.fail(fault);
    }
  };

  const follow = () => {
    const named = location.hash.slice(1);
    const name = Object.hasOwn(views, named) ? named : Object.keys(views)[0]!;
    if (name === asked) return;
    asked = name;
    leaving.abort();
    turn = turn.then(() => change(name));
  };

  addEventListener("hashchange", follow);
  follow();
}
