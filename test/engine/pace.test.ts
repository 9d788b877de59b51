import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Capture } from "../../engine/capture.ts";
import { LanewiseFusion } from "../../engine/fusion.ts";
import { type Command, CommandStream } from "../../engine/stream.ts";
import { accumulate } from "../../engine/updates.ts";
import { engine } from "../support/engine.ts";

/** More than 16 + 32 + 64 + 128. */
const STEPS = 300;
const sum = engine.zeros([3]);
const x = engine.tensor([1, 2, 4]);

/** Sums that no fusion joins. */
const recorded = engine.capture(() => {
  for (let i = 0; i < STEPS; i++) accumulate(sum, x, { share: 1, begin: 0 });
});
afterAll(() => {
  recorded.dispose();
  for (const t of [sum, x]) t.dispose();
});
afterEach(() => vi.restoreAllMocks());

/** A stream to the tests' device as if it were of another kind. */
const streamTo = (kind: "cpu" | "gpu") =>
  new CommandStream(engine.device, engine.programs, new LanewiseFusion(engine.programs, 8), kind);

/** Dispatches of each submit that `run` makes. */
function submits(stream: CommandStream, run: () => void): number[] {
  const sizes: number[] = [];
  const submit = engine.device.queue.submit.bind(engine.device.queue);
  let before = stream.dispatches;
  vi.spyOn(engine.device.queue, "submit").mockImplementation((buffers) => {
    sizes.push(stream.dispatches - before);
    before = stream.dispatches;
    submit(buffers);
  });
  run();
  vi.restoreAllMocks();
  return sizes;
}

/** As after the first run, when the sums were recorded. */
function begin(): void {
  accumulate(sum, x, { share: STEPS, begin: 1 });
  engine.stream.flush();
}
beforeEach(begin);

async function summed(times: number): Promise<void> {
  const scaled = [1, 2, 4].map((v) => times * STEPS * v);
  expect([...(await sum.data())]).toEqual(scaled);
}

describe("submits to a GPU", () => {
  test("of a replay begin small and double, after a wait again", async () => {
    const stream = streamTo("gpu");
    const capture = new Capture(engine.device, stream, [], recorded, undefined);
    const replay = () => capture.replay();
    expect(submits(stream, replay)).toEqual([16, 32, 64, 128, 60]);
    expect(submits(stream, replay)).toEqual([128, 128, 44]);
    await summed(3);
    stream.waited();
    expect(submits(stream, replay)).toEqual([16, 32, 64, 128, 60]);
    await summed(4);
  });

  test("of commands that come one by one too; what is left waits for a flush", async () => {
    const stream = streamTo("gpu");
    const send = (commands: readonly Command[]) => {
      for (const c of commands) stream.dispatch(c);
    };
    expect(submits(stream, () => send(recorded.commands))).toEqual([16, 32, 64, 128]);
    expect(submits(stream, () => stream.flush())).toEqual([60]);
    await summed(2);
  });
});

test("a software driver is sent a replay as a whole, and commands by 256", async () => {
  const stream = streamTo("cpu");
  const capture = new Capture(engine.device, stream, [], recorded, undefined);
  expect(submits(stream, () => capture.replay())).toEqual([STEPS]);
  const send = () => {
    for (const c of recorded.commands) stream.dispatch(c);
  };
  expect(submits(stream, send)).toEqual([256]);
  stream.flush();
  await summed(3);
});
