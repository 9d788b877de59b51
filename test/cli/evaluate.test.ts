/** stein evaluate, from files of samples to the report. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "fast-png";
import { zipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { parseClassifierConfig, parseConfig, type SdeConfig, writeConfig } from "../../cli/config.ts";
import { heldBackBits } from "../../cli/evaluation/bits.ts";
import { compare, comparedCount, setsOf } from "../../cli/evaluation/compare.ts";
import { distances, type Figure, frechetName } from "../../cli/evaluation/figures.ts";
import { imagesOf, pixelsOf } from "../../cli/evaluation/image-list.ts";
import { readSamples } from "../../cli/evaluation/samples-file.ts";
import {
  classifierSource,
  inceptionSource,
  inceptionSpace,
  type Space,
} from "../../cli/evaluation/spaces.ts";
import { copyLines, figureTable } from "../../cli/evaluation/table.ts";
import { npz } from "../../cli/pictures/npz.ts";
import { readNpz } from "../../cli/pictures/read-npz.ts";
import { openClassifierRun, openImages, openRun } from "../../cli/run.ts";
import { conform } from "../../data/conform.ts";
import { digits } from "../../data/digits.ts";
import { add, div, perSample, square, sub } from "../../engine/ops/index.ts";
import { rand } from "../../engine/random.ts";
import { writeSafetensors } from "../../engine/safetensors.ts";
import { InceptionV3, type Module, type Output } from "../../models/index.ts";
import { asScore } from "../../samplers/index.ts";
import { packCheckpoint, type Trainer } from "../../train/index.ts";
import { frechetDistance, kernelDistance, momentsOf } from "../../train/metrics/index.ts";
import { normal, uniform } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, stein, steinHere, tinyOnSde } from "./stein.ts";

afterAll(removeFolders);

/** A .npy file of other types and orders than our own writer's. */
function npy(descr: string, shape: string, data: Uint8Array, fortran = "False"): Uint8Array {
  const text = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }\n`;
  const head = Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8);
  return Uint8Array.from([...head, ...new TextEncoder().encode(text), ...data]);
}

const bytesOf = (values: Float64Array | Float32Array) => new Uint8Array(values.buffer);

describe("samples of a file", () => {
  const saved = (content: Uint8Array) => {
    const path = join(newFolder(), "s.npz");
    writeFileSync(path, content);
    return path;
  };

  test("come back as they were written", () => {
    const data = Float32Array.from(uniform(0, 1)([2, 3, 2, 2], 1).data);
    const file = npz({
      samples: { data, shape: [2, 3, 2, 2] },
      classes: { data: new Float32Array(2), shape: [2] },
    });
    const [samples, classes] = readNpz(file, "test");
    expect(samples).toEqual({ name: "samples", shape: [2, 3, 2, 2], dtype: "f4", data });
    expect(classes!.shape).toEqual([2]);
    const { pixels, count, sha256 } = readSamples(saved(file), [3, 2, 2]);
    expect(pixels).toEqual(data);
    expect(count).toBe(2);
    expect(sha256).toBe(createHash("sha256").update(file).digest("hex"));
  });

  test("may be bytes with the channels last, or float64, compressed", () => {
    const bytes = Uint8Array.from({ length: 24 }, (_, i) => 10 * i);
    const last = zipSync({ "arr_0.npy": npy("|u1", "(2, 2, 2, 3)", bytes) });
    const { pixels } = readSamples(saved(last), [3, 2, 2]);
    expect([...pixels.subarray(0, 12)]).toEqual(
      [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11].map((i) => Math.fround((10 * i) / 255)),
    );
    expect(pixels[12]).toBe(Math.fround(120 / 255));
    const wide = zipSync({ "x.npy": npy("<f8", "(1, 1, 1, 2)", bytesOf(Float64Array.of(0.25, 1))) });
    expect([...readSamples(saved(wide), [1, 1, 2]).pixels]).toEqual([0.25, 1]);
  });

  test("are refused where they are no images of the run", () => {
    const refused = (content: Uint8Array) => {
      const path = saved(content);
      return expect(() => {
        try {
          readSamples(path, [1, 2, 2]);
        } catch (fault) {
          throw new Error((fault as Error).message.replace(path, "s.npz"));
        }
      });
    };
    const of = (...values: number[]) => bytesOf(Float32Array.from(values));
    refused(Uint8Array.of(1, 2, 3)).toThrowErrorMatchingInlineSnapshot(
      `[Error: evaluate: --samples s.npz: got 3 bytes that are no whole .npz file (invalid zip data), expected what numpy.savez writes]`,
    );
    refused(zipSync({ "a.npy": npy(">f4", "(1,)", of(1)) })).toThrowErrorMatchingInlineSnapshot(
      `[Error: evaluate: --samples s.npz: got "a" of >f4, expected <f4, <f8, |u1 in C order; store it as numpy.ascontiguousarray(x, numpy.float32)]`,
    );
    refused(zipSync({ "a.npy": npy("<f4", "(1,)", of(1), "True") })).toThrowErrorMatchingInlineSnapshot(
      `[Error: evaluate: --samples s.npz: got "a" of columns after each other, expected <f4, <f8, |u1 in C order; store it as numpy.ascontiguousarray(x, numpy.float32)]`,
    );
    refused(zipSync({ "a.npy": npy("<f4", "(3,)", of(1)) })).toThrowErrorMatchingInlineSnapshot(
      `[Error: evaluate: --samples s.npz: got 4 bytes of "a" for shape (3), expected 12; the file is damaged]`,
    );
    refused(zipSync({ "a.npy": Uint8Array.of(1) })).toThrowErrorMatchingInlineSnapshot(
      `[Error: evaluate: --samples s.npz: got an array "a" that is not of NumPy's format 1 or 2]`,
    );
    refused(zipSync({})).toThrowErrorMatchingInlineSnapshot(
      `[Error: evaluate: --samples s.npz: got arrays none, expected one named samples]`,
    );
    refused(zipSync({ "a.npy": npy("<f4", "(1, 2)", of(0, 1)) })).toThrowErrorMatchingInlineSnapshot(
      `[Error: evaluate: --samples s.npz: got images of 2, expected the run's, 1x2x2 or 2x2x1]`,
    );
    refused(
      zipSync({ "a.npy": npy("<f4", "(1, 1, 2, 2)", of(0, 1, -0.5, 1)) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[Error: evaluate: --samples s.npz: got the value -0.5, expected floats from 0 to 1, or bytes; bring images in [-1, 1] to 0.5 x + 0.5]`,
    );
    expect(() => readSamples("/nowhere.npz", [1, 2, 2])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: evaluate: --samples /nowhere.npz: cannot read it (ENOENT); check the path]`,
    );
  });
});

test("only Inception's features of 10,000 images each make an FID", () => {
  expect(frechetName("inception", 10_000, 10_000)).toBe("FID");
  expect(frechetName("inception", 9_999, 50_000)).toBe("Frechet distance (features inception)");
  expect(frechetName("inception", 50_000, 9_999)).toBe("Frechet distance (features inception)");
  expect(frechetName("classifier", 50_000, 50_000)).toBe("Frechet distance (features classifier)");
});

describe("a comparison", () => {
  const shape = [1, 8, 8] as const;
  const drawn = conform(digits({ count: 260 }), { size: 8 });
  const part = (first: number, count: number) => imagesOf(pixelsOf(drawn, first, count), shape);
  const [train, heldBack] = [part(0, 120), part(120, 80)];
  const another = pixelsOf(drawn, 200, 60);
  const run = (samples: Float32Array, { neighbours = false, against = "held-back" as const } = {}) =>
    compare(shape, [], setsOf({ samples, shape, train, heldBack, against, seed: 3 }), {
      ...{ pixels: true, neighbours, seed: 3 },
    });
  const named = (figures: readonly Figure[], name: string) => figures.find((f) => f.name.startsWith(name))!;

  test("is of the metrics themselves: samples, other real images and noise against one half of the real ones", async () => {
    const { figures } = await run(another);
    const sets = setsOf({ samples: another, shape, train, heldBack, against: "held-back", seed: 3 });
    const [reference, other] = [pixelsOf(sets.real, 0, 40), pixelsOf(sets.real, 40, 40)];
    const samples = pixelsOf(sets.samples, 0, 40);
    const moments = (v: Float32Array) => momentsOf(v, 64);
    const frechet = named(figures, "Frechet");
    expect([frechet.samples, frechet.reference]).toEqual([40, 40]);
    expect(frechet.value).toBe(frechetDistance(moments(samples), moments(reference)));
    expect(frechet.real).toBe(frechetDistance(moments(other), moments(reference)));
    const kernel = kernelDistance(samples, reference, { dim: 64 });
    expect(named(figures, "kernel")).toMatchObject({ value: kernel.value, error: kernel.standardError });
    const whole = figures.filter(({ name }) => name.startsWith("Frechet")).at(-1)!;
    expect(whole).toMatchObject({ samples: 60, reference: 80, real: null, noise: null });
    expect(whole.value).toBe(frechetDistance(moments(pixelsOf(sets.samples)), moments(pixelsOf(sets.real))));
  });

  test("finds another draw of the data near the data, and noise far away", async () => {
    const { figures } = await run(another);
    for (const name of ["Frechet", "kernel", "sliced"]) {
      const { value, real, noise } = named(figures, name);
      expect(Math.abs(value - real!), name).toBeLessThan(0.2 * (noise! - real!));
      expect(noise!, name).toBeGreaterThan(real!);
    }
    for (const name of ["precision", "recall", "coverage"]) {
      const { value, noise } = named(figures, name);
      expect(value, name).toBeGreaterThan(0.5);
      expect(noise!, name).toBeLessThan(0.1);
    }
  });

  test("halves a set sorted by class evenly", () => {
    const { samples, real, count } = setsOf({
      samples: another,
      ...{ shape, train, heldBack, against: "held-back", seed: 3 },
    });
    const sum = (first: number) => pixelsOf(real, first, count).reduce((a, b) => a + b, 0) / count;
    const classOf = new Map(
      Array.from({ length: 60 }, (_, i) => [another.slice(64 * i, 64 * i + 64).join(), i % 10]),
    );
    const classes = Array.from({ length: 20 }, (_, i) => classOf.get(pixelsOf(samples, i, 1).join())!);
    expect(new Set(classes.slice(0, 10)).size).toBeLessThan(10); // by chance, not one of each as they were drawn
    const everything = new Set(Array.from({ length: 80 }, (_, i) => pixelsOf(real, i, 1).join()));
    expect(everything.size).toBe(80); // each image once
    expect(sum(0)).toBeCloseTo(sum(40), 0);
  });

  test("tells copies of training images from another draw", async () => {
    const copies = await run(pixelsOf(train, 10, 60), { neighbours: true });
    expect(copies.copies[0]).toMatchObject({ features: "pixels", train: 120, median: { samples: 0 } });
    expect(copies.copies[0]!.z).toBeGreaterThan(5);
    expect(copyLines(copies.copies)[0]).toContain("copies?");
    const honest = await run(another, { neighbours: true });
    expect(Math.abs(honest.copies[0]!.z)).toBeLessThan(3);
    const { width, height } = decode(honest.picture!);
    expect([width, height]).toEqual([2 + 6 * 18, 2 + 12 * 18]); // a sample, a gap, four neighbours; twelve rows
  });

  test.each(["held-back", "train"] as const)("asks for no features twice, against %s", async (against) => {
    const asked: string[] = [];
    const corner: Space = {
      name: "corner",
      dim: 2,
      async features(images, what) {
        asked.push(what);
        const vectors = Float32Array.from({ length: 2 * images.count }, (_, i) => another[3 * i]!);
        return { count: images.count, vectors };
      },
      dispose() {},
    };
    const sets = setsOf({ samples: another, shape, train, heldBack, against, seed: 3 });
    await compare(shape, [corner], sets, { pixels: false, neighbours: true, seed: 3 });
    const others = against === "train" ? "held-back images" : "training images";
    expect(asked).toEqual(["samples", "real images", "noise", others]);
  });

  test("shows first the sample whose nearest training image stands out", async () => {
    const some = another.slice(0, 20 * 64);
    some.set(pixelsOf(train, 7, 1), 13 * 64);
    const { picture } = await run(some, { neighbours: true });
    const { data, width } = decode(picture!);
    const cell = (row: number, column: number) =>
      Array.from({ length: 64 }, (_, i) => {
        const [y, x] = [2 + 18 * row + 2 * Math.floor(i / 8), 2 + 18 * column + 2 * (i % 8)];
        return data[y * width + x];
      });
    const copied = [...pixelsOf(train, 7, 1)].map((v) => Math.round(255 * v));
    expect(cell(0, 0)).toEqual(copied);
    expect(cell(0, 2)).toEqual(copied);
    expect(cell(1, 2)).not.toEqual(cell(1, 0));
  });

  test("scores classes in splits that hold enough images", async () => {
    const probabilities = (count: number, sure: number) => ({
      classes: 10,
      values: Float32Array.from({ length: 10 * count }, (_, i) =>
        i % 10 === Math.floor(i / 10) % 10 ? sure : (1 - sure) / 9,
      ),
    });
    const features = (count: number, sure: number) => ({
      ...{ count, vectors: Float32Array.from(normal([count, 1], 1).data) },
      probabilities: probabilities(count, sure),
    });
    const scoreOf = (count: number) => {
      const [samples, other, noise] = [1, 0.9, 0.1].map((sure) => features(count, sure));
      const sets = { samples: samples!, reference: other!, other: other!, noise: noise! };
      const whole = { samples: samples!, real: other! };
      return named(distances({ name: "inception", dim: 1 }, { ...sets, whole }), "Inception score");
    };
    expect(scoreOf(150)).not.toHaveProperty("splits");
    const { value, noise, splits } = scoreOf(250);
    expect(splits).toBe(2);
    expect(value).toBeCloseTo(10, 1);
    expect(noise).toBeCloseTo(1, 6);
  });

  test("stands in a table", async () => {
    const { figures } = await run(another);
    const [head, ...rows] = figureTable(figures);
    expect(head).toMatch(/^ +samples +other real +noise +images +better$/);
    expect(rows).toHaveLength(figures.length);
    expect(rows[1]).toMatch(/^kernel distance \(features pixels\) +-?\d.* \+- \d.* 40 to 40 +lower$/);
  });

  test("of too few images is refused", () => {
    expect(comparedCount(500, 1000)).toBe(500);
    expect(comparedCount(500, 101)).toBe(50);
    expect(() => comparedCount(3, 1000)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: evaluate: got 3 samples and 1000 real images, expected at least 4 samples and 8 real images; give more --n, or hold more images back (data.heldBack), or --against train]`,
    );
    expect(() => comparedCount(500, 7)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: evaluate: got 500 samples and 7 real images, expected at least 4 samples and 8 real images; give more --n, or hold more images back (data.heldBack), or --against train]`,
    );
  });
});

describe("features", () => {
  test("of Inception are pooled maps and probabilities of its classes, whatever the batches", async () => {
    const network = new InceptionV3(engine, { divisor: 16 });
    const values = [...network.named()].map(([name, { shape }], i) => {
      const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
      return [
        name,
        { shape, data: Float32Array.from(normal(shape, i).data, (v) => v / Math.sqrt(fanIn)) },
      ] as const;
    });
    network.load(new Map(values));
    const space = inceptionSpace(engine, network, "hash", 2);
    const pixels = Float32Array.from(uniform(0, 1)([3, 1, 4, 4], 2).data); // a batch and a half
    const { vectors, probabilities, count } = await space.features(imagesOf(pixels, [1, 4, 4]), "noise");
    expect([count, vectors.length, probabilities!.values.length]).toEqual([3, 3 * 128, 3 * 1008]);
    const last = await space.features(imagesOf(pixels.slice(2 * 16), [1, 4, 4]), "noise");
    const within = (a: Float32Array, b: Float32Array) =>
      a.every((v, i) => Math.abs(v - b[i]!) <= 1e-4 * (1 + Math.abs(v)));
    expect(within(last.vectors, vectors.slice(2 * 128))).toBe(true);
    expect(within(last.probabilities!.values, probabilities!.values.slice(2 * 1008))).toBe(true);
    expect(probabilities!.values.subarray(0, 1008).reduce((a, b) => a + b)).toBeCloseTo(1, 4);
    space.dispose();
  });

  test("of a file that is not Inception's are refused", () => {
    const weights = (name: string, shape: number[]) =>
      writeSafetensors(new Map([[name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b)) }]]));
    const folder = newFolder({
      "other.safetensors": weights("w", [1]),
      "narrow.safetensors": weights("Conv2d_1a_3x3.conv.weight", [16, 3, 3, 3]),
      "text.txt": "no tensors at all",
    });
    const complaint = (name: string) => {
      try {
        inceptionSource(join(folder, name));
      } catch (fault) {
        return (fault as Error).message.replace(folder, "FOLDER");
      }
      return "none";
    };
    const expected =
      "expected the network of FID, where it is [32,3,3,3]; docs/evaluation.md tells how to make the file";
    expect(complaint("other.safetensors")).toBe(
      `evaluate: got --inception FOLDER/other.safetensors with no Conv2d_1a_3x3.conv.weight, ${expected}`,
    );
    expect(complaint("narrow.safetensors")).toBe(
      `evaluate: got --inception FOLDER/narrow.safetensors with Conv2d_1a_3x3.conv.weight [16,3,3,3], ${expected}`,
    );
    expect(complaint("text.txt")).toMatch(
      /^evaluate: --inception FOLDER\/text.txt cannot be read: readSafetensors: .+; give a safetensors file$/,
    );
    expect(() => inceptionSource("/nowhere")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: evaluate: cannot read --inception /nowhere (ENOENT); docs/evaluation.md tells how to make it]`,
    );
  });
});

test("bits/dim of a Gaussian are its closed form", async () => {
  const config = parseConfig(tinyOnSde(), "test") as SdeConfig;
  const { sigmaMin, sigmaMax } = config.sde as { sigmaMin: number; sigmaMax: number };
  const [middle, std, seed, count] = [0.5, 0.3, 4, 5];
  const images = imagesOf(Float32Array.from(uniform(0, 1)([count, 1, 4, 4], 6).data), [1, 4, 4]);
  const score = asScore((x, sigma) => div(sub(middle, x), perSample(add(square(sigma), std ** 2), x)));
  const report = await heldBackBits(engine, score, config, images, { count, batch: 3, seed });

  // Of the flow x = middle + (x_eps - middle) r with r^2 = (s^2 + sigma(T)^2) / (s^2 + sigma(eps)^2), and of the prior at its end.
  const u = await rand(engine, [count, 1, 4, 4], { seed, purpose: "user" }).data();
  const least = sigmaMin * (sigmaMax / sigmaMin) ** 1e-5;
  const growth = Math.sqrt((std ** 2 + sigmaMax ** 2) / (std ** 2 + least ** 2));
  const bits = Array.from({ length: count }, (_, i) => {
    let nats = 0;
    for (const [k, v] of pixelsOf(images, i, 1).entries()) {
      const x = (Math.round(255 * v) + u[16 * i + k]!) / 256;
      const z = middle + (x - middle) * growth;
      nats += Math.log(growth) - 0.5 * (z / sigmaMax) ** 2 - 0.5 * Math.log(2 * Math.PI * sigmaMax ** 2);
    }
    return -nats / (16 * Math.LN2) + 8;
  });
  const mean = bits.reduce((a, b) => a + b) / count;
  const variance = bits.reduce((sum, b) => sum + (b - mean) ** 2, 0) / (count - 1);
  expect(report.bitsPerDim).toBeCloseTo(mean, 3);
  expect(report.standardError).toBeCloseTo(Math.sqrt(variance / count), 3);
  expect(report).toMatchObject({ images: count, seed, probe: "rademacher" });
});

describe("the command", () => {
  const folder = newFolder();
  const at = (name: string) => join(folder, name);
  const evaluate = (...args: string[]) => stein(["evaluate", at("run"), ...args], { cwd: folder });
  const evaluateHere: typeof evaluate = (...args) =>
    steinHere(["evaluate", at("run"), ...args], { cwd: folder });
  const classifier = stringify({
    data: { name: "digits", count: 64, heldBack: 16, size: 8 },
    ...{ classifier: { widths: [4, 4, 4], features: 4 }, sde: { name: "ve", sigmaMax: 8 } },
    training: { steps: 2, batchSize: 4 },
  });

  /** Checkpoints of no steps, so that nothing need be trained. */
  beforeAll(async () => {
    const config = parseConfig(tinyOnSde(), "run.yaml");
    const own = parseClassifierConfig(classifier, "classifier.yaml");
    const runs = {
      run: openRun(engine, config, at("run")),
      classifier: openClassifierRun(engine, own, at("c")),
    };
    for (const [name, { network, trainer, config }] of Object.entries(runs)) {
      mkdirSync(at(name));
      const bytes = await packCheckpoint(network as Module, trainer as Trainer<Output>, writeConfig(config));
      writeFileSync(at(`${name}/checkpoint.safetensors`), bytes);
      trainer.dispose();
      network.dispose();
    }
  });

  test("writes what it measured, by what and of what; the same again", async () => {
    const args = ["--n", "10", "--batch", "6", "--classifier", at("classifier"), "--seed", "5", "--json"];
    const { code, stdout } = await evaluate(...args, "--likelihood", "1");
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(JSON.parse(readFileSync(at("run/evaluation.json"), "utf8"))).toEqual(report);
    expect(existsSync(at("run/nearest.png"))).toBe(true);
    expect(report).toMatchObject({
      ...{ step: 0, weights: { kind: "ema", sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
      samples: {
        ...{ source: "drawn", count: 10, seed: 5, denoise: true, nfe: 20, batch: 6 },
        sampler: { along: "ve", method: "pc", predictor: "reverse_diffusion", snr: 0.16 },
      },
      data: { name: "digits", train: 48, heldBack: 16, against: "held-back" },
      spaces: [{ name: "classifier", dim: 4, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      likelihood: { images: 1, seed: 5 },
    });
    expect(report.figures.map((f: Figure) => [f.name, f.samples, f.reference])).toEqual([
      ["Frechet distance (features classifier)", 8, 8],
      ["kernel distance (features classifier)", 8, 8],
      ["class score (features classifier)", 8, null],
      ["Frechet distance (features classifier)", 10, 16],
      ["class score (features classifier)", 10, null],
      ...["precision", "recall", "density", "coverage"].map((f) => [`${f} (features classifier)`, 8, 8]),
      ...["precision", "recall", "density", "coverage"].map((f) => [`${f} (features pixels)`, 8, 8]),
      ["sliced Wasserstein distance (pixels)", 8, 8],
    ]);
    const again = JSON.parse((await evaluate(...args)).stdout);
    expect(again.figures).toEqual(report.figures);
    expect(again.likelihood).toBeNull();
  });

  test("measures samples of a file, in pixels, against the training images", async () => {
    const { train } = openImages(parseConfig(tinyOnSde(), "test"));
    const data = pixelsOf(train, 0, 20);
    writeFileSync(at("copies.npz"), npz({ samples: { data, shape: [20, 1, 8, 8] } }));
    const { code, stdout, complaints } = await evaluate(
      ...["--samples", at("copies.npz"), "--pixels", "--against", "train", "-o", at("out")],
    );
    expect(complaints.filter((line) => !line.startsWith("nearest in"))).toEqual([]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Frechet distance \(features pixels\) .* 20 to 20 +lower$/m);
    expect(stdout).toMatch(/nearest of 48 training images, pixels: median 0.* copies\?$/m);
    expect(stdout).toContain("none of these is FID");
    const report = JSON.parse(readFileSync(at("out/evaluation.json"), "utf8"));
    expect(report.samples).toMatchObject({ source: "file", count: 20 });
    expect(report.samples).not.toHaveProperty("seed");
    expect(report.weights).toBeNull();
    expect(report.data.against).toBe("train");
  });

  test("says in a line what cannot be, before it draws", async () => {
    const complaint = async (...args: string[]) => {
      const { code, complaints } = await evaluateHere(...args);
      expect(code).toBe(2);
      expect(complaints).toHaveLength(1);
      return complaints[0];
    };
    expect(await complaint()).toMatchInlineSnapshot(
      `"stein: evaluate: got no features to compare images in, and runs/classifier/digits holds no classifier; train it, in minutes: stein train configs/classifier/digits.yaml; or give --inception FILE for FID, or --pixels"`,
    );
    expect(() => classifierSource(at("run"), [1, 8, 8])).toThrow("expected that of a classifier");
    expect(await complaint("--samples", at("copies.npz"), "--raw")).toMatchInlineSnapshot(
      `"stein: evaluate: got --raw with --samples, whose images are drawn already, expected one of them"`,
    );
    expect(() => classifierSource(at("classifier"), [1, 28, 28])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: evaluate: got a classifier of 1x8x8 images for a run of 1x28x28 images, expected one shape; train it with the same data.size and data.channels]`,
    );
  });
});

test("stein evaluate --help", async () => {
  const { code, stdout } = await steinHere(["evaluate", "--help"]);
  expect(stdout).toMatchInlineSnapshot(`
    "Usage: stein evaluate [options] <run>

    measure how good a trained network's images are, beside real images and noise

    Arguments:
      run                   a run's folder or a checkpoint file

    Options:
      --n <count>           images to draw; 500 unless given
      --batch <count>       how many at a time (default: 250)
      --samples <file>      take the images of a .npz file instead
      --against <what>      real images to compare with (choices: "held-back",
                            "train", default: "held-back")
      --classifier <run>    compare features of this classifier;
                            runs/classifier/DATA unless given
      --inception <file>    compare features of Inception v3 with these weights, for
                            FID
      --pixels              compare pixels by every distance; without other features
                            unless they are given
      --likelihood <count>  of an SDE: also bits/dim of so many held-back images
      --no-neighbours       leave out the search for copies of training images
      --seed <seed>         of images and comparison; as configured unless given
      --no-denoise          leave out the last denoising step
      --raw                 the newest weights instead of their running average
      --json                what evaluation.json holds, as JSON
      -o, --out <folder>    where to write; the run's folder unless given
      -h, --help            display help for command

    Writes evaluation.json, and nearest.png: samples beside their nearest training images.
    What each figure tells and what it cannot: docs/evaluation.md
    "
  `);
  expect(code).toBe(0);
});
