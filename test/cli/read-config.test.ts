/** Where configurations are found, and --set section.key=value: one with other values. */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { parseAnyConfig, parseConfig, readConfig } from "../../cli/config.ts";
import { tempFolder } from "../data/temp-folder.ts";

const home = process.cwd();
afterEach(() => process.chdir(home));

const text = `
data: { name: digits }
model: { name: ncsn-small, channels: [8, 24, 48] }
training: { steps: 1800, lr: 0.002, gradClip: 1 }
`;
const changed = (...changes: string[]) => parseConfig(text, "run.yaml", changes);

test("a configuration with changes is the one in which they are written", () => {
  const written = text
    .replace("steps: 1800", "steps: 100")
    .replace("[8, 24, 48]", "[8, 16, 16]")
    .replace("name: digits", "name: digits, flip: true")
    .concat("sigmas: { count: 20 }\n");
  expect(
    changed("training.steps=100", "model.channels=[8, 16, 16]", "data.flip=true", "sigmas.count=20"),
  ).toEqual(parseConfig(written, "run.yaml"));
});

test("the last change of a key holds; without a value the key is taken out", () => {
  expect(changed("training.lr=0.1", "training.lr=1e-4").training.lr).toBe(1e-4);
  expect(changed("training.lr=").training.lr).toBe(0.001); // the default
  expect(changed("training.gradClip=").training.gradClip).toBeUndefined();
});

test("a ladder becomes an SDE by the name of one", () => {
  const { sde, sigmas } = changed("sde.name=ve", "sde.continuous=false", "sde.sigmaMax=10");
  expect(sde).toMatchObject({ name: "ve", sigmaMin: 0.01, sigmaMax: 10, continuous: false });
  expect(sigmas).toBeUndefined();
});

test("a classifier's configuration can be changed, too", () => {
  const config = parseAnyConfig("classifier:\ntraining: { steps: 3 }\n", "c.yaml", ["classifier.classes=7"]);
  expect(config).toMatchObject({
    classifier: { name: "classifier-small", classes: 7 },
    training: { steps: 3 },
  });
});

describe("what is wrong with a change is told with it", () => {
  test.each([
    ["steps=100", "got --set steps=100, expected section.key=value, such as training.steps=100"],
    ["training.steps", "got --set training.steps, expected section.key=value, such as training.steps=100"],
    [
      "training.steps=[1",
      "got --set training.steps=[1, whose value is not YAML; expected such as training.steps=100 or model.channels=[8, 16]",
    ],
    [
      "training.stepz=3",
      'config: run.yaml --set training.stepz=3: unknown key "training.stepz", did you mean "steps"?',
    ],
    [
      "training.steps=few",
      'config: run.yaml --set training.steps=few: training.steps: got "few", expected a whole number from 1',
    ],
    [
      "trainin.steps=3",
      'config: run.yaml --set trainin.steps=3: unknown key "trainin", did you mean "training"?',
    ],
  ])("%s", (change, says) => {
    expect(() => changed(change)).toThrow(expect.objectContaining({ name: "UsageError", message: says }));
  });
});

describe("configs/NAME.yaml", () => {
  const shipped = readConfig(fileURLToPath(new URL("../../configs/demo.yaml", import.meta.url)));

  test("is the package's own in a folder without one", () => {
    process.chdir(tempFolder());
    expect(readConfig("configs/demo.yaml")).toEqual(shipped);
    expect(readConfig("./configs/demo.yaml", ["training.steps=3"]).training.steps).toBe(3);
    for (const path of ["demo.yaml", "other/configs/demo.yaml", "configs/nowhere.yaml"])
      expect(() => readConfig(path)).toThrow(`config: cannot read ${path} (ENOENT); check the path`);
  });

  test("is the folder's where it has one", () => {
    process.chdir(tempFolder());
    mkdirSync("configs");
    writeFileSync("configs/demo.yaml", text);
    expect(readConfig("configs/demo.yaml")).toEqual(changed());
  });
});
