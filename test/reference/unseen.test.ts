/** Cases that this folder has not, made of those that it has: another folder may hold such. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { engine } from "../support/engine.ts";
import { ReferenceCase } from "./case.ts";
import { lossNamed } from "./losses.ts";
import { explain, runCase } from "./suite.ts";

type Entry = ConstructorParameters<typeof ReferenceCase>[1];

const folder = join(import.meta.dirname, "../../../shared/reference");
const index = join(folder, "index.json");
const present = existsSync(index);
const entries: Entry[] = present ? JSON.parse(readFileSync(index, "utf8")).cases : [];
const named = (name: string): Entry => entries.find((entry) => entry.name === name)!;

describe.skipIf(!present)("a network of the published code", () => {
  test("passes over sides at which it is asked to attend and which it does not have", async () => {
    const entry = named("ddpm_vp");
    const config = { ...(entry.attrs.config as object), attn: [4, 64] };
    const outcome = await runCase(
      engine,
      new ReferenceCase(folder, { ...entry, attrs: { ...entry.attrs, config } }),
    );
    expect(explain(outcome)).toEqual([]);
  });
});

test.each(["sde_loss VESDE continuous", "sde_loss VPSDE continuous", "smld_loss VESDE", "ddpm_loss VPSDE"])(
  "%s is known as a mean and as a sum",
  (name) => {
    for (const reduceMean of [true, false])
      expect(lossNamed(`${name}, reduce_mean ${reduceMean}`)).toBeTypeOf("function");
  },
);
