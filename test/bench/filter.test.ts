import { expect, test } from "vitest";
import { families } from "../../bench/cases.ts";
import { requireMatch } from "../../bench/run.ts";

test("a filter that chooses nothing is refused with the families there are", () => {
  expect(() => requireMatch("sotfmax", families.cpu, [])).toThrow(
    /^bench: got --filter sotfmax, which no case's family, name or shape holds; families are .*softmax/,
  );
});

test("a filter may name a family, a shape, or a step of which only the profile tells", () => {
  const step = [{ name: "a step of training" }];
  for (const filter of ["softmax", "Softmax", "512x512", "a step", undefined])
    expect(() => requireMatch(filter, families.cpu, step)).not.toThrow();
});
