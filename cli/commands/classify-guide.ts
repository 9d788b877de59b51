import { join } from "node:path";
import { type Command, Option } from "commander";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { softmax } from "../../engine/ops/index.ts";
import type { Classifier } from "../../models/index.ts";
import type { Checkpoint } from "../../train/checkpoint.ts";
import { openClassifier, sigmaRange } from "../classifier.ts";
import { type ClassifierConfig, parseClassifierConfig, parseConfig } from "../config.ts";
import { guidedScore, requireKnownNoise } from "../guide.ts";
import { most } from "../limits.ts";
import { openNetwork } from "../network.ts";
import { between, wholeFrom } from "../options.ts";
import { npz } from "../pictures/npz.ts";
import { grid } from "../pictures/png.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { requireRoom } from "../room.ts";
import { files, openCheckpoint } from "../run.ts";
import { folderFor } from "../run-folder.ts";
import { drawSamples, type Size } from "../sampler.ts";
import { applyOptions } from "../sampling/options.ts";
import { weightsOf } from "../weights.ts";

interface GuideOptions {
  class: number | "all";
  n: number;
  guidanceScale: number;
  seed?: number;
  steps?: number;
  json?: boolean;
  npz?: boolean;
  out?: string;
}

/** What the classifier says of the images of one class. */
interface Verdict {
  readonly class: number;
  readonly images: number;
  /** Images of which it thinks this class the likeliest. */
  readonly assigned: number;
  /** Mean of p(class | image). */
  readonly probability: number;
}

export function classifyGuideCommand(program: Command): void {
  program
    .command("classify-guide")
    .description("draw images of a class from a network that knows no classes, by a classifier's gradient")
    .argument("<run>", "the score network: a run's folder or a checkpoint file")
    .argument("<by>", "the classifier: a run's folder or a checkpoint file")
    .addOption(new Option("--class <k>", "its number, or all").default("all").argParser(classOf))
    .option("--n <count>", "images of each class", wholeFrom(1, "--n"), 8)
    .option(
      "--guidance-scale <s>",
      "factor of the gradient; 0 leaves the classifier out",
      between(0, Infinity, "--guidance-scale"),
      1,
    )
    .option("--seed <seed>", "one seed gives one set of images", wholeFrom(0, "--seed"))
    .option("--steps <T>", "steps at each noise scale, or of the SDE", wholeFrom(1, "--steps", most.steps))
    .option("--json", "what the classifier says of the images, as JSON")
    .option("--npz", "also write guided.npz, for NumPy: samples and classes")
    .option("-o, --out <folder>", "where to write; the run's folder unless given")
    .addHelpText(
      "after",
      "\nWrites guided.png, a row for each class. What is not given is as the run's configuration says." +
        "\nScale 1 draws from the law of the class, as far as the networks know it; more draws its likelier images.",
    )
    .action(async (path: string, classifierPath: string, options: GuideOptions) => {
      const [checkpoint, own] = [openCheckpoint(path), openCheckpoint(classifierPath)];
      const config = parseConfig(checkpoint.config, path);
      const classifierConfig = parseClassifierConfig(own.config, classifierPath);
      requireSameImages(checkpoint, own);
      requireKnownNoise(config, classifierConfig);
      const classes = wanted(options.class, classifierConfig.classifier.classes);
      const { n, seed, steps } = options;
      applyOptions("classify-guide", config, { n: n * classes.length, seed, steps });
      requireRoom("classify-guide", config.sampling.count, checkpoint.image, "lower --n");
      const folder = folderFor("classify-guide", path, options.out);

      const [c, h, w] = checkpoint.image;
      const size = { c, h, w };
      const [weights, ownWeights] = [weightsOf(checkpoint, path), weightsOf(own, classifierPath)];
      const engine = await Engine.create();
      try {
        const network = openNetwork(engine, config, { channels: c, height: h });
        network.load(weights);
        const classifier = openClassifier(engine, classifierConfig, { channels: c, height: h });
        classifier.load(ownWeights);
        const rows = Int32Array.from({ length: n * classes.length }, (_, i) => classes[Math.floor(i / n)]!);
        const { guidanceScale: scale } = options;
        const { samples, nfe } = await drawSamples(engine, network, config, {
          size,
          animate: false,
          offset: classes[0]! * n,
          guide: (score, { from, count }) => {
            const classes = engine.untrack(engine.tensor(rows.slice(from, from + count)));
            return guidedScore(score, config, { classifier, config: classifierConfig, classes, scale });
          },
        });
        const drawing = { samples, size, classes, n };
        const verdicts = await judge(engine, classifier, classifierConfig, drawing);
        const written = writeImages(folder, drawing, options.npz);
        if (options.json)
          console.log(JSON.stringify({ files: written, guidanceScale: scale, nfe, classes: verdicts }));
        else tell(written, verdicts);
      } finally {
        engine.destroy();
      }
    });
}

function classOf(text: string): number | "all" {
  if (text === "all") return text;
  const k = Number(text);
  if (text.trim() !== "" && Number.isSafeInteger(k) && k >= 0) return k;
  throw new UsageError(`got --class ${text}, expected all or the number of a class, from 0`);
}

/** The classes to draw. Throws UsageError for one that the classifier does not have. */
function wanted(asked: number | "all", classes: number): number[] {
  if (asked === "all") return Array.from({ length: classes }, (_, k) => k);
  if (asked < classes) return [asked];
  throw new UsageError(
    `classify-guide: got --class ${asked} for a classifier of ${classes} classes, expected 0 to ${classes - 1}`,
  );
}

/** Throws UsageError unless network and classifier know images of one shape. */
function requireSameImages({ image }: Checkpoint, { image: own }: Checkpoint): void {
  if (image.join() !== own.join())
    throw new UsageError(
      `classify-guide: got a network of ${image.join("x")} images and a classifier of ${own.join("x")} images, ` +
        "expected one shape; train the classifier with the same data.size and data.channels",
    );
}

/** What the classifier says of samples [n classes,c,h,w], n of each class, without noise. */
async function judge(
  engine: Engine,
  classifier: Classifier,
  config: ClassifierConfig,
  { samples, size, classes, n }: Drawing,
): Promise<Verdict[]> {
  const { c, h, w } = size;
  const { least } = sigmaRange(config);
  const verdicts: Verdict[] = [];
  for (const [row, k] of classes.entries()) {
    const images = samples.slice(row * n * c * h * w, (row + 1) * n * c * h * w);
    const probs = engine.scope(() =>
      engine.noGrad(() =>
        softmax(classifier.run(engine.tensor(images, [n, c, h, w]), engine.full([n], least))),
      ),
    );
    const values = await probs.data();
    const width = probs.dim(1);
    probs.dispose();
    const rows = Array.from({ length: n }, (_, i) => values.subarray(i * width, (i + 1) * width));
    verdicts.push({
      class: k,
      images: n,
      assigned: rows.filter((row) => row.every((p, j) => j === k || p < row[k]!)).length,
      probability: rows.reduce((sum, row) => sum + row[k]!, 0) / n,
    });
  }
  return verdicts;
}

interface Drawing {
  readonly samples: Float32Array<ArrayBuffer>;
  readonly size: Size;
  readonly classes: readonly number[];
  /** Images of each class. */
  readonly n: number;
}

/** guided.png, a row for each class, and guided.npz if asked for. Returns their paths. */
function writeImages(folder: string, { samples, size, classes, n }: Drawing, numpy = false): string[] {
  const { c, h, w } = size;
  const count = n * classes.length;
  const written: string[] = [];
  const write = (name: string, bytes: Uint8Array) => {
    written.push(join(folder, name));
    writeFileAtomic(written.at(-1)!, bytes);
  };
  write(files.guided, grid(samples, { n: count, c, h, w, columns: n, scale: 3 }));
  if (numpy) {
    const labels = Float32Array.from({ length: count }, (_, i) => classes[Math.floor(i / n)]!);
    const arrays = {
      samples: { data: samples, shape: [count, c, h, w] },
      classes: { data: labels, shape: [count] },
    };
    write(files.guidedNumpy, npz(arrays));
  }
  return written;
}

function tell(written: readonly string[], verdicts: readonly Verdict[]): void {
  const total = (of: (v: Verdict) => number) => verdicts.reduce((sum, v) => sum + of(v), 0);
  console.log(`wrote ${written.join(" and ")}, a row for each class`);
  for (const { class: k, assigned, images, probability } of verdicts)
    console.log(`class ${k}: ${assigned} of ${images}, mean probability ${probability.toFixed(3)}`);
  console.log(
    `${total((v) => v.assigned)} of ${total((v) => v.images)} are of the wanted class in the judgement of the ` +
      "classifier that drew them there, which is no outsider's",
  );
}
