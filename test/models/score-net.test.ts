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
  ]).toMatchInlineSnapshot(`
    [
      "UsageError: model: got ncsnp, expected one of ncsn, ncsn-deeper, ncsn-small, ncsnv2, ncsnpp, ddpm; did you mean ncsn?",
      "UsageError: ncsn-small: got centered true, expected images in [0, 1], which it takes; leave centered out",
      "UsageError: ncsn-small: got images of 10 pixels, expected a multiple of 4; set data.size",
    ]
  `);
  expect(engine.memory()).toEqual(before);
});
