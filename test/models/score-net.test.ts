import { expect, test } from "vitest";
import { buildScoreNet, type ScoreNetOptions } from "../../models/index.ts";
import { engine } from "../support/engine.ts";

test("networks that are none, and images that they do not take, are refused before any work", () => {
  const common = { imageChannels: 1, imageSize: 8, sigmas: [1, 0.1], seed: 1 };
  const before = engine.memory();
  const message = (options: object): string => {
    try {
      buildScoreNet(engine, { ...common, ...options } as unknown as ScoreNetOptions);
    } catch (error) {
      return String(error);
    }
    return "accepted";
  };
  expect([
    message({ name: "ncsnp" }),
    message({ name: "ncsn-small", centered: true }),
    message({ name: "ncsn-small", imageSize: 10 }),
    message({ name: "ncsn-small", channels: [8, 0, 8] }),
    message({ name: "ncsn-small", sigmas: [0.1, 1] }),
  ]).toMatchInlineSnapshot(`
    [
      "UsageError: model: got ncsnp, expected one of ncsn, ncsn-deeper, ncsn-small, ncsnv2, ncsnpp, ddpm; did you mean ncsn?",
      "UsageError: ncsn-small: got centered true, expected images in [0, 1], which it takes; leave centered out",
      "UsageError: ncsn-small: got images of 10 pixels, expected a multiple of 4; set data.size",
      "UsageError: ncsn-small: got channels[1] 0, expected a whole number of at least 1",
      "UsageError: ncsn-small: got sigma 1 at place 1, expected positive numbers, descending",
    ]
  `);
  expect(engine.memory()).toEqual(before);
});

test("what a network of labels does not take is refused", () => {
  const net = buildScoreNet(engine, {
    name: "ncsn-small",
    imageChannels: 1,
    imageSize: 8,
    sigmas: [1, 0.1],
    seed: 1,
  });
  const labels = engine.tensor([0, 1], [2], "i32");
  for (const shape of [
    [2, 3, 8, 8],
    [2, 1, 8, 6],
    [2, 64],
  ])
    expect(() => net.run(engine.zeros(shape), labels)).toThrow(
      "expected [n,1,h,w] with sides that are multiples of 4",
    );
  const x = engine.zeros([2, 1, 8, 8]);
  for (const wrong of [engine.zeros([2]), engine.zeros([3], "i32")])
    expect(() => net.run(x, wrong)).toThrow("for x [2,1,8,8], expected i32 [2]");
  net.dispose();
});
