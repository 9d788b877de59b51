/** Classifiers from a configuration to images of a class. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { openClassifier } from "../../cli/classifier.ts";
import {
  type ClassifierConfig,
  type Config,
  parseAnyConfig,
  parseClassifierConfig,
  parseConfig,
  readAnyConfig,
  writeConfig,
} from "../../cli/config.ts";
import { noisingOf, requireKnownNoise } from "../../cli/guide.ts";
import { imageOf } from "../../cli/network.ts";
import { openImages, openRun } from "../../cli/run.ts";
import { sdeOf } from "../../cli/score.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { countParameters } from "../../models/index.ts";
import { packCheckpoint } from "../../train/index.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, stein, steinHere, tiny, tinyOnSde } from "./stein.ts";

afterAll(removeFolders);

type Sections = Record<string, Record<string, unknown>>;

/** A classifier of seconds on a software driver, as YAML, with other values in it. */
function tinyClassifier(changes: Sections = {}): string {
  const config: Sections = {
    data: { name: "digits", count: 64, heldBack: 16, size: 8 },
    classifier: { widths: [4, 4, 4], features: 4 },
    sde: { name: "ve", sigmaMax: 8 },
    training: { steps: 4, batchSize: 4, checkpointEvery: 2 },
  };
  for (const [section, values] of Object.entries(changes))
    config[section] = { ...config[section], ...values };
  return stringify(config);
}

const classifierOf = (changes: Sections = {}) =>
  parseAnyConfig(tinyClassifier(changes), "c.yaml") as ClassifierConfig;

describe("a configuration", () => {
  const refused = (changes: Sections) => expect(() => classifierOf(changes));

  test("of a classifier has its defaults", () => {
    const { classifier, sigmas, training } = parseAnyConfig(
      "{ classifier: , training: { steps: 1 } }",
      "c",
    ) as ClassifierConfig;
    expect(classifier).toEqual({ name: "classifier-small", classes: 10 });
    expect(sigmas).toEqual({ begin: 1, end: 0.01, count: 10 });
    expect(training).not.toHaveProperty("annealPower");
  });

  test("comes back as it was written", () => {
    const config = classifierOf();
    expect(parseAnyConfig(writeConfig(config), "c")).toEqual(config);
  });

  test("that makes no sense is refused", () => {
    refused({ classifier: { name: "resnet" } }).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: config: c.yaml: classifier.name: got "resnet", expected classifier-small, wide-resnet]`,
    );
    refused({ classifier: { widths: [4, 4] } }).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: config: c.yaml: classifier.widths: got [4,4], expected a list of 3 whole numbers, such as [16, 32, 64]]`,
    );
    refused({ classifier: { clases: 3 } }).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: config: c.yaml: unknown key "classifier.clases", did you mean "classes"?]`,
    );
    refused({ sampling: { count: 3 } }).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: config: c.yaml: unknown key "sampling", expected one of data, classifier, sigmas, sde, training]`,
    );
    refused({ data: { centered: true } }).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: config: c.yaml: data.centered: got true for a classifier, which takes images in [0, 1], expected false]`,
    );
    refused({ data: { name: "folder", path: "." } }).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: config: c.yaml: data.name: got "folder" for a classifier, expected a set whose images have classes: digits, mnist, cifar10]`,
    );
    refused({ sde: { continuous: false } }).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: config: c.yaml: sde.continuous: got false for a classifier, which is told sigma at any time, expected true]`,
    );
  });

  test("with fewer classes than the images have is refused", () => {
    expect(() => openImages(classifierOf({ classifier: { classes: 9 } }))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classifier.classes: got 9, but an image of digits is of class 9, expected at least 10]`,
    );
  });

  test("of a classifier is none of a score network", () => {
    expect(() => parseClassifierConfig(tiny(), "s.yaml")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: config: s.yaml is that of a score network, expected that of a classifier, such as configs/classifier/digits.yaml]`,
    );
    expect(() => parseConfig(tinyClassifier(), "c.yaml")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: config: c.yaml is that of a classifier, expected that of a score network; classifiers are for stein train and stein classify-guide]`,
    );
  });
});

test("the configuration of drawn digits has as many parameters as its layers, and knows all noise of the VP SDE", () => {
  const config = readAnyConfig(
    new URL("../../configs/classifier/digits.yaml", import.meta.url).pathname,
  ) as ClassifierConfig;
  const parameters = engine.dry(() => countParameters(openClassifier(engine, config, imageOf(config))));
  const block = (i: number, o: number) =>
    2 * i + (9 * i + 1) * o + 65 * o + 2 * o + (9 * o + 1) * o + (i + 1) * o;
  const maps = 10 * 16 + block(16, 32) + block(32, 64) + 2 * 64;
  expect(parameters).toBe(33 * 64 + maps + (64 * 7 * 7 + 1) * 64 + 65 * 10);
  expect(() =>
    requireKnownNoise(parseConfig(tinyOnSde({ sde: { name: "vp", sigmaMax: undefined } }), "vp"), config),
  ).not.toThrow();
});

describe("what a score network sees", () => {
  const configOf = (changes: Sections): Config => parseConfig(tinyOnSde(changes), "test");
  const ladder = parseConfig(tiny(), "test");

  /** gain, offset and std where the network is told these conditions. */
  async function noisingAt(config: Config, conditions: readonly number[]) {
    const { gain, offset, std } = engine.scope(() => {
      const labels = !config.sde;
      const told = labels ? engine.tensor(Int32Array.from(conditions)) : engine.tensor(conditions);
      const { gain, std, offset = engine.zeros([conditions.length]) } = noisingOf(config)(told);
      return { gain, offset, std };
    });
    const all = [gain, offset, std] as Tensor[];
    const values = await engine.readAll(all);
    for (const t of all) t.dispose();
    return values.map((v) => [...(v as Float32Array)]);
  }

  const times = [1, 0.6, 0.05];
  const vp = { name: "vp", sigmaMax: undefined };
  const kinds: [string, Sections][] = [
    ["the VE SDE", {}],
    ["the VP SDE", { sde: vp }],
    ["the sub-VP SDE", { sde: { ...vp, name: "subvp" } }],
  ];

  test.each(kinds)("on %s is alpha x_0 and its noise", async (_, changes) => {
    for (const centered of [false, true]) {
      const config = configOf({ ...changes, data: { centered } });
      const sde = sdeOf(config as Extract<Config, { sde: object }>);
      const [gain, offset, std] = await noisingAt(config, times.map(sde.conditionAt));
      for (const [i, t] of times.entries()) {
        const exact = sde.marginalAt(t);
        // alpha (2 x_0 - 1) of images that the network sees in [-1, 1]
        expect(gain![i]! / (centered ? 2 : 1)).toBeCloseTo(exact.alpha, 5);
        expect(offset![i]!).toBeCloseTo(centered ? -exact.alpha : 0, 5);
        expect(std![i]! / exact.std).toBeCloseTo(1, 4);
      }
    }
  });

  test("in the steps of the VE SDE has the noise of its label, largest first", async () => {
    const config = configOf({ sde: { continuous: false } });
    const [gain, , std] = await noisingAt(config, [0, 19]);
    expect(gain).toEqual([1, 1]);
    expect(std).toEqual([expect.closeTo(8, 4), expect.closeTo(0.01, 6)]);
  });

  test("in the steps of the VP SDE has alpha and noise of its label", async () => {
    const config = configOf({ sde: { ...vp, continuous: false, numScales: 1000 } });
    const [gain, , std] = await noisingAt(config, [0, 1, 999.5]);
    const beta = (i: number) => (0.1 + (i / 999) * 19.9) / 1000;
    let product = 1;
    const alphas = Array.from({ length: 1000 }, (_, i) => Math.sqrt((product *= 1 - beta(i))));
    for (const [k, i] of [0, 1, 999].entries()) {
      expect(gain![k]! / alphas[i]!).toBeCloseTo(1, 4);
      expect(std![k]! / Math.sqrt(1 - alphas[i]! ** 2)).toBeCloseTo(1, 4);
    }
  });

  test("on a ladder has the noise of its label", async () => {
    const [gain, offset, std] = await noisingAt(ladder, [0, 1, 2]);
    expect([gain, offset]).toEqual([
      [1, 1, 1],
      [0, 0, 0],
    ]);
    for (const [i, s] of [1, Math.sqrt(0.1), 0.1].entries()) expect(std![i]!).toBeCloseTo(s, 6);
  });

  test("may have no more noise than the classifier knows", () => {
    const known = classifierOf();
    for (const config of [ladder, configOf({})]) expect(() => requireKnownNoise(config, known)).not.toThrow();
    expect(() =>
      requireKnownNoise(configOf({ sde: { sigmaMax: 9 } }), known),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classify-guide: got a network whose noise goes up to 9.000 times the images and a classifier trained up to 8.000, expected at least as much; train it with sde: { name: ve, sigmaMax: 9 }]`,
    );
    // Of images in [-1, 1] noise covers half as much.
    const wide = { data: { centered: true }, sde: { sigmaMax: 16 } };
    expect(() => requireKnownNoise(configOf(wide), known)).not.toThrow();
    const far = configOf({ sde: vp });
    expect(() => requireKnownNoise(far, known)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: classify-guide: got a network whose noise goes up to 152.2 times the images and a classifier trained up to 8.000, expected at least as much; train it with sde: { name: ve, sigmaMax: 153 }]`,
    );
    expect(() => requireKnownNoise(far, classifierOf({ sde: { sigmaMax: 153 } }))).not.toThrow();
  });
});

describe("from training to images of a class", () => {
  const folder = newFolder({ "c.yaml": tinyClassifier() });
  const run = (...args: string[]) => stein(args, { cwd: folder });

  /** A score network as it starts, as a checkpoint in the folder. */
  async function scoreCheckpoint(name: string, config: string): Promise<void> {
    const { network, trainer } = openRun(engine, parseConfig(config, name), folder);
    writeFileSync(join(folder, name), await packCheckpoint(network, trainer, config));
    trainer.dispose();
    network.dispose();
  }

  test("train leaves a run and how well the classifier knows images", async () => {
    const { code, stdout, complaints } = await run("train", "c.yaml", "--out", "c");
    expect(code, complaints.join("\n")).toBe(0);
    const [network, loss, accuracy, where, ...rest] = stdout.trimEnd().split("\n");
    expect(network).toMatch(
      /^classifier-small with [\d,]+ parameters; 48 images 1x8x8 of digits \(train\); batch 4; on the VE SDE$/,
    );
    expect(loss).toMatch(
      /^loss [\d.]+, mean of the last 4 steps; [\d.]+ on held-back images; peak device memory [\d.]+ MiB$/,
    );
    expect(accuracy).toMatch(
      /^of held-back images it knows [\d.]+ %; under noise of sigma 0.1: [\d.]+ %, sigma 0.3: /,
    );
    expect(where).toBe("all is told in c/report.md; draw images of a class with: stein classify-guide RUN c");
    expect(rest).toEqual([]);
    const rows = JSON.parse(readFileSync(join(folder, "c", "accuracy.json"), "utf8")) as { sigma: number }[];
    expect(rows.map(({ sigma }) => sigma)).toEqual([0, 0.1, 0.3, 1, 2, 3, 5]);
    expect(readFileSync(join(folder, "c", "loss.svg"), "utf8")).toContain("Cross-entropy");
  });

  test("a run that was stopped before it was measured is measured when it goes on", async () => {
    const path = join(folder, "c", "accuracy.json");
    const before = readFileSync(path, "utf8");
    rmSync(path);
    const { code, stdout, complaints } = await run("train", "c.yaml", "--out", "c", "--resume");
    expect(code, complaints.join("\n")).toBe(0);
    expect(readFileSync(path, "utf8")).toBe(before);
    expect(stdout.split("\n")[0]).toMatch(/^of held-back images it knows [\d.]+ %; /);
    const again = await run("train", "c.yaml", "--out", "c", "--resume");
    expect(again.stdout).toMatch(/^c has taken 4 of 4 steps: /);
  });

  test("classify-guide draws a row for each class and says what the classifier thinks of them", async () => {
    await scoreCheckpoint("ve.safetensors", tinyOnSde({ sde: { numScales: 3 } }));
    const guide = ["classify-guide", "ve.safetensors", "c", "--n", "2", "--json", "--npz"];
    const all = await run(...guide, "--out", "all");
    expect(all.code, all.complaints.join("\n")).toBe(0);
    const { files, guidanceScale, nfe, classes } = JSON.parse(all.stdout);
    expect(files).toEqual([join("all", "guided.png"), join("all", "guided.npz")]);
    expect([guidanceScale, nfe]).toEqual([1, 3]);
    expect(classes.map((c: { class: number }) => c.class)).toEqual([...Array(10).keys()]);
    for (const { images, assigned, probability } of classes) {
      expect(images).toBe(2);
      expect(assigned).toBeLessThanOrEqual(2);
      expect(probability).toBeGreaterThan(0);
      expect(probability).toBeLessThan(1);
    }

    const one = await run(...guide, "--class", "3", "--out", "one");
    expect(one.code, one.complaints.join("\n")).toBe(0);
    const arrays = (of: string) => {
      const zip = unzipSync(readFileSync(join(folder, of, "guided.npz")));
      const [samples, classes] = [zip["samples.npy"]!, zip["classes.npy"]!].map(
        (bytes) => new Float32Array(bytes.slice(128).buffer),
      );
      return { samples: samples!, classes: [...classes!] };
    };
    const [whole, alone] = [arrays("all"), arrays("one")];
    expect(whole.classes).toEqual(Array.from({ length: 20 }, (_, i) => i >> 1));
    expect(alone.classes).toEqual([3, 3]);
    const row = whole.samples.subarray(3 * 2 * 64, 4 * 2 * 64);
    expect(row.some((v) => v > 0 && v < 1)).toBe(true);
    for (const [i, v] of alone.samples.entries()) expect(v).toBeCloseTo(row[i]!, 4);
  });

  test("on a ladder of noise scales too, in words", async () => {
    await scoreCheckpoint("ladder.safetensors", tiny());
    const { code, stdout, complaints } = await run(
      ...[
        "classify-guide",
        "ladder.safetensors",
        "c",
        "--class",
        "3",
        "--n",
        "2",
        "--guidance-scale",
        "2",
        "--out",
        ".",
      ],
    );
    expect(code, complaints.join("\n")).toBe(0);
    expect(stdout).toMatch(
      /^wrote guided\.png, a row for each class\nclass 3: [012] of 2, mean probability 0\.\d+\n[012] of 2 are of the wanted class in the judgement of the classifier that drew them there, which is no outsider's\n$/,
    );
  });

  test("what does not go together is refused before any work", async () => {
    await scoreCheckpoint("large.safetensors", tinyOnSde({ data: { size: 12 } }));
    const says = async (...args: string[]) => {
      const { code, complaints } = await steinHere(["classify-guide", ...args], { cwd: folder });
      expect(code).toBe(2);
      return complaints.join("\n");
    };
    expect(await says("c", "c")).toMatchInlineSnapshot(
      `"stein: config: c is that of a classifier, expected that of a score network; classifiers are for stein train and stein classify-guide"`,
    );
    expect(await says("ladder.safetensors", "c", "--class", "10")).toMatchInlineSnapshot(
      `"stein: classify-guide: got --class 10 for a classifier of 10 classes, expected 0 to 9"`,
    );
    expect(await says("large.safetensors", "c")).toMatchInlineSnapshot(
      `"stein: classify-guide: got a network of 1x12x12 images and a classifier of 1x8x8 images, expected one shape; train the classifier with the same data.size and data.channels"`,
    );
  });
});
