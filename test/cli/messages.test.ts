/** What a user is told who asks for something that cannot be. None of these needs a device. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { parseConfig, writeConfig } from "../../cli/config.ts";
import { writeSafetensors } from "../../engine/safetensors.ts";
import { convRows, randomFill } from "../../kernels/index.ts";
import { newFolder, removeFolders, stein, steinHere, tiny, tinyOnSde } from "./stein.ts";

afterAll(removeFolders);

interface Case {
  args: string;
  /** Files in the working folder. */
  files?: Record<string, string | Uint8Array>;
  /** The one line on stderr, after "stein: ". */
  says: string;
}

/** A file of a run's checkpoint, with as much in it as is looked at before the GPU. */
const checkpoint = (config = tiny(), metadata: Record<string, string> = {}, w = [0, 0, 0]) =>
  writeSafetensors(new Map([["w", { shape: [3], data: Float32Array.from(w) }]]), {
    format: "stein-checkpoint-1",
    step: "5",
    emaUpdates: "5",
    image: "[1,8,8]",
    config: writeConfig(parseConfig(config, "test")),
    ...metadata,
  });

const train = (config: string, says: string): Case => ({
  args: "train run.yaml",
  files: { "run.yaml": config },
  says: `config: run.yaml: ${says}`,
});

const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const idx = (magic: number, ...lengths: number[]) =>
  Uint8Array.from([magic, ...lengths].flatMap((n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]));

const keys = {
  training:
    "steps, batchSize, accumulate, lr, beta1, eps, weightDecay, warmup, emaDecay, emaWarmup, gradClip, annealPower, loss, projection, particles, precision, checkpointing, seed, checkpointEvery, keepLast, keepEvery, evaluateEvery, sampleEvery, sampleCount",
  sections: "data, model, sigmas, sde, training, sampling",
};

const configurations: Record<string, Case> = {
  "a misspelt key": train(
    tiny({ training: { batchsize: 4 } }),
    'unknown key "training.batchsize", did you mean "batchSize"?',
  ),
  "a misspelt section, though what it should hold is missing": train(
    "trainig: { steps: 5 }",
    'unknown key "trainig", did you mean "training"?',
  ),
  "an unknown key": train(
    tiny({ training: { momentum: 4 } }),
    `unknown key "training.momentum", expected one of ${keys.training}`,
  ),
  "no steps": train("data: { name: digits }", "training.steps: got nothing, expected a whole number from 1"),
  "a word for a number": train(
    tiny({ training: { lr: "fast" } }),
    'training.lr: got "fast", expected a number above 0',
  ),
  "a number for a word": train(
    tiny({ data: { path: 7 } }),
    "data.path: got 7, expected the path of a folder",
  ),
  "a word for yes or no": train(
    tiny({ sampling: { denoise: "maybe" } }),
    'sampling.denoise: got "maybe", expected true or false',
  ),
  "sigma 0": train(tiny({ sigmas: { end: 0 } }), "sigmas.end: got 0, expected a number above 0"),
  "a negative sigma": train(
    tiny({ sigmas: { begin: -1 } }),
    "sigmas.begin: got -1, expected a number above 0",
  ),
  "a ladder upside down": train(
    tiny({ sigmas: { begin: 0.1, end: 1 } }),
    'sigmas: got {"begin":0.1,"end":1,"count":3}, expected begin >= end, for the noise descends; swap them',
  ),
  "a negative size": train(tiny({ data: { size: -8 } }), "data.size: got -8, expected a whole number from 1"),
  "half an image": train(
    tiny({ training: { batchSize: 0.5 } }),
    "training.batchSize: got 0.5, expected a whole number from 1",
  ),
  "an infinite learning rate": train(
    tiny({ training: { lr: Infinity } }),
    "training.lr: got Infinity, expected a number above 0",
  ),
  "beta1 of 1": train(
    tiny({ training: { beta1: 1 } }),
    "training.beta1: got 1, expected a number from 0, below 1",
  ),
  "parts that are not equal": train(
    tiny({ training: { batchSize: 8, accumulate: 3 } }),
    "training.accumulate: got 3 with batchSize 8, expected a divisor of it, for the parts of a batch are equal",
  ),
  "checkpoints to keep that are never written": train(
    tiny({ training: { checkpointEvery: 4, keepEvery: 10 } }),
    "training.keepEvery: got 10 with checkpointEvery 4, expected a multiple of it, for there is no other checkpoint to keep",
  ),
  "no checkpoint to keep": train(
    tiny({ training: { keepLast: 0 } }),
    "training.keepLast: got 0, expected a whole number from 1",
  ),
  "a negative interval": train(
    tiny({ training: { evaluateEvery: -1 } }),
    "training.evaluateEvery: got -1, expected a whole number from 0",
  ),
  "two channels": train(
    tiny({ data: { channels: 2 } }),
    "data.channels: got 2, expected 1 (grey) or 3 (RGB)",
  ),
  "two levels of channels": train(
    tiny({ model: { channels: [8, 8] } }),
    "model.channels: got [8,8], expected a list of 3 whole numbers, such as [8, 24, 48]",
  ),
  "a level without channels": train(
    tiny({ model: { channels: [8, 0, 8] } }),
    "model.channels.1: got 0, expected a whole number from 1",
  ),
  "a misspelt set of images": train(
    tiny({ data: { name: "digit" } }),
    'data.name: got "digit", expected digits, mnist, cifar10, folder; did you mean "digits"?',
  ),
  "epsilon 0": train(
    tiny({ sampling: { epsilon: 0 } }),
    "sampling.epsilon: got 0, expected a number above 0",
  ),
  "no images": train(
    tiny({ sampling: { count: 0 } }),
    "sampling.count: got 0, expected a whole number from 1",
  ),
  "an empty file": train("", `the file: got nothing, expected a section with keys out of ${keys.sections}`),
  "a list": train("- 1\n- 2", `the file: got [1,2], expected a section with keys out of ${keys.sections}`),
  "a section that is a number": train(
    "training: 5",
    `training: got 5, expected a section with keys out of ${keys.training}`,
  ),
  "no YAML": {
    args: "train run.yaml",
    files: { "run.yaml": "training: { steps: 5" },
    says: "config: run.yaml is not YAML: Flow map in block collection must be sufficiently indented and end with a } at line 1, column 21",
  },
  "no file": {
    args: "train nowhere.yaml",
    says: "config: cannot read nowhere.yaml (ENOENT); check the path",
  },
  "a folder": { args: "train .", says: "config: cannot read . (EISDIR); check the path" },
};

/** A run on an SDE, with other values in it. */
const onSde = (changes: Record<string, Record<string, unknown>>): string => {
  const { model, sde, data, training, sampling } = changes;
  return stringify({
    data: { name: "cifar10", path: ".", ...data },
    model: { name: "ncsnpp", nf: 8, chMult: [1, 2], numResBlocks: 1, attnResolutions: [16], ...model },
    sde: { name: "ve", ...sde },
    training: { steps: 5, ...training },
    ...(sampling && { sampling }),
  });
};
const ncsn = { model: { name: "ncsn", ngf: 8 } };
const onlyName = { nf: undefined, chMult: undefined, numResBlocks: undefined, attnResolutions: undefined };
const labelled = (config: Record<string, Record<string, unknown>>) =>
  onSde({ ...config, model: { ...onlyName, ...ncsn.model } });

const networks: Record<string, Case> = {
  "a misspelt network": train(
    tiny({ model: { name: "ncsnp" } }),
    'model.name: got "ncsnp", expected ncsn, ncsn-deeper, ncsn-small, ncsnv2, ncsnpp, ddpm; did you mean "ncsn"?',
  ),
  "an option of another network": train(
    tiny({ model: { ngf: 8 } }),
    'unknown key "model.ngf", expected one of name, channels',
  ),
  "a misspelt option": train(
    onSde({ model: { attnResolution: [16] } }),
    'unknown key "model.attnResolution", did you mean "attnResolutions"?',
  ),
  "a width that is missing": train(
    onSde({ model: { nf: undefined } }),
    "model.nf: got nothing, expected a whole number from 1",
  ),
  "a word for a list": train(
    onSde({ model: { chMult: "1, 2" } }),
    'model.chMult: got "1, 2", expected a list of whole numbers, such as [1, 2, 2, 2]',
  ),
  "a misspelt block": train(
    onSde({ model: { resblockType: "bigan" } }),
    'model.resblockType: got "bigan", expected ddpm, biggan; did you mean "biggan"?',
  ),
  "a network that needs an SDE": train(
    tiny({
      model: { name: "ddpm", channels: undefined, nf: 8, chMult: [1], numResBlocks: 1, attnResolutions: [] },
    }),
    'model.name: got "ddpm" without an sde section, expected one, such as sde: { name: ve, sigmaMax: 50 }',
  ),
  "a ladder and an SDE": train(
    tiny({ sde: { name: "ve" } }),
    "sigmas: got a ladder of noise scales beside an sde section, expected one of the two; take one out",
  ),
  "a misspelt SDE": train(
    onSde({ sde: { name: "sub-vp" } }),
    'sde.name: got "sub-vp", expected ve, vp, subvp; did you mean "subvp"?',
  ),
  "an SDE without a name": train(
    onSde({ sde: { name: undefined } }),
    "sde.name: got nothing, expected ve, vp, subvp",
  ),
  "a setting of another SDE": train(
    onSde({ sde: { name: "vp", sigmaMax: 50 } }),
    'unknown key "sde.sigmaMax", expected one of name, betaMin, betaMax, numScales, continuous',
  ),
  "sigmas upside down": train(
    onSde({ sde: { sigmaMin: 60 } }),
    'sde: got {"name":"ve","sigmaMin":60}, expected sigmaMin < sigmaMax, for the noise grows with time; swap them',
  ),
  "betas upside down": train(
    onSde({ sde: { name: "vp", betaMin: 30 } }),
    'sde: got {"name":"vp","betaMin":30}, expected betaMin < betaMax, for the noise grows with time; swap them',
  ),
  "so few steps that a beta exceeds 1": train(
    onSde({ sde: { name: "vp", numScales: 10 } }),
    'sde: got {"name":"vp","numScales":10}, expected betaMax <= numScales, for a step\'s beta, betaMax / numScales, is at most 1; take more steps',
  ),
  "a sub-VP SDE in steps": train(
    onSde({ sde: { name: "subvp", continuous: false } }),
    "sde.continuous: got false, expected true, for there is no sub-VP SDE in steps",
  ),
  "a setting of annealed sampling": train(
    `${onSde({})}sampling: { epsilon: 1.0e-5 }`,
    'unknown key "sampling.epsilon", expected one of count, batchSize, seed, method, steps, predictor, corrector, snr, snrOver, stepsPerLevel, probabilityFlow, denoise, temperature, eta, churn',
  ),
  "a table of noise scales in continuous time": train(
    labelled({}),
    'model.name: got "ncsn", which knows numbered noise scales only, with the continuous ve SDE, expected sde: { name: ve, continuous: false }',
  ),
  "a table of noise scales on the VP SDE": train(
    labelled({ sde: { name: "vp", continuous: false } }),
    'model.name: got "ncsn", which knows numbered noise scales only, with the discrete vp SDE, expected sde: { name: ve, continuous: false }',
  ),
  "labels where sigma is told": train(
    onSde({ model: { name: "ddpm" } }),
    'model.name: got "ddpm", which is told labels, with the continuous ve SDE, which tells sigma, expected ncsnpp or continuous: false',
  ),
  "Fourier features of a label": train(
    onSde({ model: { embeddingType: "fourier" }, sde: { name: "vp" } }),
    'model.embeddingType: got "fourier" with the continuous vp SDE, which tells labels, expected "positional"',
  ),
  "sinusoids of sigma": train(
    onSde({ model: { embeddingType: "positional" } }),
    'model.embeddingType: got "positional" with the continuous ve SDE, which tells sigma, expected "fourier"',
  ),
  "a noise divided by sigma": train(
    onSde({ model: { scaleBySigma: true }, sde: { name: "vp" } }),
    "model.scaleBySigma: got true with the continuous vp SDE, whose networks predict the noise, expected false",
  ),
  "likelihood weighting in steps": train(
    onSde({ sde: { continuous: false }, training: { likelihoodWeighting: true } }),
    "training.likelihoodWeighting: got true with the discrete ve SDE, expected false or a continuous SDE",
  ),
  "centered images for the small network": train(
    tiny({ data: { centered: true } }),
    'data.centered: got true with "ncsn-small", which takes images in [0, 1], expected false',
  ),
};

/** Options of `stein sample` that do not go with the network, or with each other. */
const samplers: Record<string, Case> = {
  "a step size for a sampler on an SDE": {
    args: "sample a.safetensors --epsilon 0.1",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "vp" } })) },
    says: "sample: got --epsilon, which is for networks on a ladder of noise scales; leave it out",
  },
  "a predictor for annealed Langevin dynamics": {
    args: "sample a.safetensors --predictor reverse_diffusion",
    files: { "a.safetensors": checkpoint(tiny()) },
    says: "sample: got --predictor, which is for networks on an SDE; leave it out",
  },
  "other steps than a network knows": {
    args: "sample a.safetensors --steps 10",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "vp", continuous: false } })) },
    says: 'sample: steps: got 10 with "pc" for a network that knows only its 1000 steps; leave it out, or take ddim',
  },
  "more steps than a network knows": {
    args: "sample a.safetensors --method ddim --steps 2000",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "vp", continuous: false } })) },
    says: "sample: steps: got 2000 for a network that knows 1000 steps, expected no more",
  },
  "a method for networks of the other kind": {
    args: "sample a.safetensors --method ddim",
    files: { "a.safetensors": checkpoint(tiny()) },
    says: "sample: got --method ddim, which is for networks on an SDE, expected one of annealed, consistent",
  },
  "steps for a ladder with one at each scale": {
    args: "sample a.safetensors --method consistent --steps 5",
    files: { "a.safetensors": checkpoint(tiny()) },
    says: "sample: got --steps with method consistent, expected it with annealed; leave it out, or give --method",
  },
  "a step size that no noise makes up for": {
    args: "sample a.safetensors --method consistent",
    files: { "a.safetensors": checkpoint(tiny()) },
    says:
      "consistentAnnealing: got epsilon 0.00002 for these scales, expected 0.00684 to 0.0132: " +
      "each step has to leave less noise than the next scale has; give an epsilon in between",
  },
  "the noise of another method": {
    args: "sample a.safetensors --eta 0.5",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "vp" } })) },
    says: "sample: got --eta with method pc, expected it with ddim; leave it out, or give --method",
  },
  "an end without denoising where there is none": {
    args: "sample a.safetensors --method ddim --no-denoise",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "vp" } })) },
    says: "sample: got --no-denoise with method ddim, expected it with pc, ode, heun, euler; leave it out, or give --method",
  },
  "the same of an evaluation": {
    args: "evaluate a.safetensors --no-denoise",
    files: { "a.safetensors": checkpoint(onSde({ sampling: { method: "ddim" } })) },
    says: "evaluate: got --no-denoise with method ddim, expected it with pc, ode, heun, euler; leave it out",
  },
  "steps of a guided sampler that takes one at each scale": {
    args: "classify-guide a.safetensors c.safetensors --steps 5",
    files: {
      "a.safetensors": checkpoint(tiny({ sampling: { method: "consistent" } })),
      "c.safetensors": checkpoint(tiny(), { config: "{ classifier: , training: { steps: 1 } }" }),
    },
    says: "classify-guide: got --steps with method consistent, expected it with annealed; leave it out",
  },
  "a factor that no guidance has": {
    args: "classify-guide a b --guidance-scale -1",
    says: "got --guidance-scale -1, expected a number from 0",
  },
  "samples into a file": {
    args: "sample a.safetensors --out a.safetensors",
    files: { "a.safetensors": checkpoint() },
    says: "sample: got --out a.safetensors, which is a file, expected a folder; give another --out",
  },
  "guided samples into a file": {
    args: "classify-guide a.safetensors c.safetensors --out a.safetensors",
    files: {
      "a.safetensors": checkpoint(),
      "c.safetensors": checkpoint(tiny(), { config: "{ classifier: , training: { steps: 1 } }" }),
    },
    says: "classify-guide: got --out a.safetensors, which is a file, expected a folder; give another --out",
  },
  "an evaluation into a file": {
    args: "evaluate a.safetensors --out a.safetensors",
    files: { "a.safetensors": checkpoint() },
    says: "evaluate: got --out a.safetensors, which is a file, expected a folder; give another --out",
  },
  "Karras's schedule for a network that is not told sigma": {
    args: "sample a.safetensors --method edm",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "vp" } })) },
    says:
      'sample: method: got "edm" with the continuous vp SDE, expected the continuous ve SDE, ' +
      "whose networks are told sigma; take ddim or heun",
  },
  "a range of adaptive steps": {
    args: "sample a.safetensors --method ode --range 0:4",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "vp" } })) },
    says:
      "sample: got --range with method ode, which chooses its steps for a whole batch; " +
      "take --batch 1, or fixed steps by --method heun",
  },
  "a range by the published rule": {
    args: "sample a.safetensors --corrector langevin --snr-over batch --range 0:4",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "vp" } })) },
    says: "sample: got --range with snrOver batch, by which images depend on their batch; take --snr-over sample",
  },
  "settings of a corrector that there is none of": {
    args: "sample a.safetensors --corrector-steps 2",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "vp" } })) },
    says:
      "sample: got --corrector-steps without a corrector, expected one; " +
      "give --corrector langevin or ald, or leave it out",
  },
  "a predictor that the SDE has no form of": {
    args: "sample a.safetensors --predictor ancestral_sampling",
    files: { "a.safetensors": checkpoint(onSde({ sde: { name: "subvp" } })) },
    says: "ancestral_sampling: got the subvp SDE, expected one with a Markov chain, ve or vp; take reverse_diffusion",
  },
  "noise above all": {
    args: "sample a.safetensors --eta 2",
    says: "got --eta 2, expected a number from 0 to 1",
  },
  "a number and a range of images": {
    args: "sample a.safetensors --n 4 --range 0:4",
    files: { "a.safetensors": checkpoint(tiny()) },
    says: "sample: got --n and --range, expected one of them",
  },
  "a range that is none": {
    args: "sample a.safetensors --range 4",
    says: "got --range 4, expected a:b with whole numbers and a below b, such as 0:64",
  },
};

const data = (set: Record<string, unknown>, files: Case["files"], says: string): Case => ({
  args: "train run.yaml",
  files: { "run.yaml": tiny({ data: { count: undefined, heldBack: 1, ...set } }), ...files },
  says,
});

const images: Record<string, Case> = {
  "as many held back as there are": data(
    { count: 16, heldBack: 16 },
    {},
    "data: got heldBack 16 of 16 images, expected fewer; lower data.heldBack",
  ),
  "more than memory holds": data(
    { count: 1e14 },
    {},
    "data: 100000000000000 images do not fit in memory; set a lower data.count",
  ),
  "no path": data(
    { name: "mnist" },
    {},
    'data: got "mnist" without a path, expected the folder of its files; give path, or use the built-in "digits"',
  ),
  "no MNIST": data(
    { name: "mnist", path: "." },
    {},
    "mnist: got no images in ., expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz; bring the files there by stein data fetch mnist --to ., or use the built-in digits",
  ),
  "MNIST cut short": data(
    { name: "mnist", path: "." },
    { "train-images-idx3-ubyte": idx(0x803, 2, 8, 8) },
    "mnist: got train-images-idx3-ubyte with 16 bytes, expected 144 for [2, 8, 8]; the file is cut short, download it again",
  ),
  "a foreign MNIST file": data(
    { name: "mnist", path: "." },
    { "train-images-idx3-ubyte": "<!doctype html><title>Not found</title>" },
    "mnist: got train-images-idx3-ubyte with magic 0x3c21646f, 39 bytes, expected an IDX file with magic 0x00000803; the file is of another format, download it again",
  ),
  "no CIFAR-10": data(
    { name: "cifar10", path: "." },
    {},
    "cifar10: got no data_batch_1.bin, data_batch_2.bin, data_batch_3.bin, data_batch_4.bin, data_batch_5.bin in ., expected data_batch_1.bin to data_batch_5.bin; bring them there by stein data fetch cifar10 --to ., or unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html",
  ),
  "CIFAR-10 cut short": data(
    { name: "cifar10", path: "." },
    Object.fromEntries(
      [1, 2, 3, 4, 5].map((n) => [`data_batch_${n}.bin`, new Uint8Array(n === 3 ? 3000 : 3073)]),
    ),
    "cifar10: got data_batch_3.bin with 3000 bytes, expected records of 3073 (30730000 bytes for 10000); the file is cut short or of another format, unpack cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html again",
  ),
  "a folder without images": data(
    { name: "folder", path: "." },
    {},
    "image folder: got 1 files in ., the first run.yaml, none of them PNG or JPEG, expected PNG or JPEG files; convert the images",
  ),
  "no folder": data(
    { name: "folder", path: "nowhere" },
    {},
    "image folder: cannot list nowhere (no such file or folder), expected a folder; check the path",
  ),
  "an animation named PNG": data(
    { name: "folder", path: "." },
    { "a.png": Uint8Array.of(0x47, 0x49, 0x46, 0x38, 0x39, 0x61) },
    "image folder: got a.png of 6 bytes beginning with 47 49 46 38, expected a PNG (89 50 4e 47) or JPEG (ff d8 ff) file; convert it or take it out of the folder",
  ),
  "half a PNG": data(
    { name: "folder", path: "." },
    { "a.png": png },
    "image folder: got a.png of 8 bytes, expected a whole PNG file (Offset is outside the bounds of the DataView); copy it again or take it out of the folder",
  ),
};

const whole = checkpoint();
const runs: Record<string, Case> = {
  "a run is there and --resume is not": {
    args: "train run.yaml --out .",
    files: { "run.yaml": tiny(), "checkpoint.safetensors": whole },
    says: "train: . holds a run already; pass --resume to go on, or another --out",
  },
  "the run there is of another network": {
    args: "train run.yaml --out . --resume",
    files: { "run.yaml": tiny({ model: { channels: [8, 8, 16] } }), "checkpoint.safetensors": whole },
    says: "train: got model.channels [8,8,16], but . was trained with [8,8,8]; set it back, or begin another run with another --out",
  },
  "the run there had other noise scales": {
    args: "train run.yaml --out . --resume",
    files: { "run.yaml": tiny({ sigmas: { count: 4 } }), "checkpoint.safetensors": whole },
    says: "train: got sigmas.count 4, but . was trained with 3; set it back, or begin another run with another --out",
  },
  "the run there had another seed": {
    args: "train run.yaml --out . --resume",
    files: { "run.yaml": tiny({ training: { seed: 4 } }), "checkpoint.safetensors": whole },
    says: "train: got training.seed 4, but . was trained with 0; set it back, or begin another run with another --out",
  },
  "a folder in the place of the run's file of metrics": {
    args: "train run.yaml --out . --resume",
    files: { "run.yaml": tiny(), "checkpoint.safetensors": whole, "metrics.jsonl/a": "" },
    says: "train: got metrics.jsonl, which is a folder, expected a file of the run's; move it away, or give another --out",
  },
  "the run's checkpoint is empty": {
    args: "train run.yaml --out . --resume",
    files: {
      "run.yaml": tiny(),
      "checkpoint.safetensors": "",
      "checkpoints/00000004.safetensors": whole,
    },
    says: "checkpoint: checkpoint.safetensors is empty; copy it again, or put checkpoints/00000004.safetensors in its place",
  },
  "the run's checkpoint is cut short": {
    args: "train run.yaml --out . --resume",
    files: {
      "run.yaml": tiny(),
      "checkpoint.safetensors": whole.subarray(0, -5),
      "checkpoints/00000004.safetensors": whole,
    },
    says: "checkpoint: checkpoint.safetensors cannot be read: readSafetensors: w ends at byte 12 of the data, the file holds 7; it was cut short, copy it again, or put checkpoints/00000004.safetensors in its place",
  },
  "the run's newest checkpoint is gone, --resume or not": {
    args: "train run.yaml --out .",
    files: {
      "run.yaml": tiny(),
      "checkpoints/00000004.safetensors": whole,
      "checkpoints/00000005.safetensors": whole,
    },
    says: "train: . holds checkpoints of a run but no checkpoint.safetensors, expected both or neither; move checkpoints/00000005.safetensors in its place to go on after 5 steps, or give another --out",
  },
  "the run there had other images, though of one name": {
    args: "train run.yaml --out . --resume",
    files: { "run.yaml": tiny(), "checkpoint.safetensors": checkpoint(tiny(), { imageCount: "47" }) },
    says: "train: got 48 images of digits to train on, but . was trained on 47; bring them back to what they were, or begin another run with another --out",
  },
  "a checkpoint of no whole number of images": {
    args: "train run.yaml --out . --resume",
    files: { "run.yaml": tiny(), "checkpoint.safetensors": checkpoint(tiny(), { imageCount: "4.5" }) },
    says: 'checkpoint: checkpoint.safetensors has metadata {"step":"5","emaUpdates":"5","image":"[1,8,8]","imageCount":"4.5"}, expected whole numbers for step, emaUpdates, the three of image and imageCount, if there is one; it was damaged, copy it again',
  },
  "the run's folder is a file": {
    args: "train run.yaml --out run.yaml",
    files: { "run.yaml": tiny() },
    says: "train: got --out run.yaml, which is a file, expected a folder; give another --out",
  },
  "a demo over another run": {
    args: "demo --config run.yaml --out .",
    files: { "run.yaml": tiny({ training: { lr: 0.5 } }), "checkpoint.safetensors": whole },
    says: "demo: . holds a run of another configuration; give another --out",
  },
  "no run to sample": {
    args: "sample nowhere",
    says: "checkpoint: cannot read nowhere (ENOENT); give a run's folder or a checkpoint file",
  },
  "no checkpoint to sample": {
    args: "sample .",
    says: "checkpoint: . holds no checkpoint.safetensors; give a run's folder or a checkpoint file",
  },
  "an empty checkpoint": {
    args: "sample a.safetensors",
    files: { "a.safetensors": "" },
    says: "checkpoint: a.safetensors is empty; copy it again",
  },
  "a checkpoint with half its header": {
    args: "sample a.safetensors",
    files: { "a.safetensors": whole.subarray(0, 100) },
    says: `checkpoint: a.safetensors cannot be read: readSafetensors: got 100 bytes with a header of ${whole.length - 8 - 12}, expected at least ${whole.length - 12}; the file was cut short, copy it again`,
  },
  "a foreign file": {
    args: "sample a.pth",
    files: { "a.pth": "PK\u0003\u0004 a zip file, as PyTorch writes" },
    says: 'checkpoint: a.pth cannot be read: readSafetensors: got byte 0x69 where the header begins, expected "{"; give a safetensors file',
  },
  "a foreign safetensors file": {
    args: "sample a.safetensors",
    files: { "a.safetensors": writeSafetensors(new Map()) },
    says: "checkpoint: a.safetensors is a safetensors file but no checkpoint of stein's (format absent, expected stein-checkpoint-1); give a run's checkpoint",
  },
  "a checkpoint without a configuration": {
    args: "sample a.safetensors",
    files: { "a.safetensors": writeSafetensors(new Map(), { format: "stein-checkpoint-1" }) },
    says: "checkpoint: a.safetensors holds no configuration, it is damaged; give another checkpoint",
  },
  ...Object.fromEntries(
    ["sample a.safetensors", "likelihood a.safetensors --data 0:1"].map((args) => [
      `weights that are not finite, to ${args.split(" ")[0]}`,
      {
        args,
        files: {
          "a.safetensors": checkpoint(args.startsWith("sample") ? tiny() : tinyOnSde(), {}, [
            0,
            Number.NaN,
            1,
          ]),
        },
        says: "checkpoint: a.safetensors holds numbers that are not finite in w, it is damaged; copy it again or take an earlier one",
      },
    ]),
  ),
  ...Object.fromEntries(
    ["checkpoints", "samples"].map((name) => [
      `a file in the place of the run's folder ${name}`,
      {
        args: "train run.yaml --out .",
        files: { "run.yaml": tiny(), [name]: "" },
        says: `train: got ${name}, which is a file, expected a folder of the run's; move it away, or give another --out`,
      },
    ]),
  ),
  "a checkpoint with nonsense for its step": {
    args: "sample a.safetensors",
    files: { "a.safetensors": checkpoint(tiny(), { step: "many" }) },
    says: 'checkpoint: a.safetensors has metadata {"step":"many","emaUpdates":"5","image":"[1,8,8]"}, expected whole numbers for step, emaUpdates, the three of image and imageCount, if there is one; it was damaged, copy it again',
  },
};

const huge: Record<string, Case> = Object.fromEntries(
  Object.entries({
    "evaluate ladder.safetensors --n 1e9 --pixels":
      "evaluate: got 1000000000 images of 1x8x8, expected at most 15728640 in one go; lower --n",
    "inpaint sde.safetensors --n 1e9":
      "inpaint: got 8 rows of 1000000002 images, expected at most 132560 images in a picture; lower --n",
    "restore sde.safetensors --operator superres:2 --n 1e9":
      "restore: got 8 rows of 1000000002 images, expected at most 132560 images in a picture; lower --n",
    "interpolate sde.safetensors --steps 1e9":
      "interpolate: got 4 rows of 1000000000 images, expected at most 132560 images in a picture; lower --rows or --steps",
    "interpolate ladder.safetensors --rows 1e9":
      "interpolate: got 1,000,000,000 rows of 8 images, expected at most 132560 images in a picture; lower --rows or --steps",
    "sample sde.safetensors --steps 1e9": "got --steps 1e9, expected a whole number from 1 to 1000000",
    "inpaint sde.safetensors --steps 1e9": "got --steps 1e9, expected a whole number from 1 to 1000000",
    "schedule digits --count 1e9": "data: 1000000000 images do not fit in memory; lower --count",
    "data show digits --size 1e9": "got --size 1e9, expected a whole number from 1 to 4096",
    "data show digits --size 4096 --n 1000":
      "data: got 1000 images of 1x4096x4096, expected at most 60 in one go; lower --n or --size",
    "bench --batch 1e9": "got --batch 1e9, expected a whole number from 1 to 10000",
    ...Object.fromEntries(
      [
        ["data.size", 4096],
        ["training.batchSize", 1_000_000],
        ["sigmas.count", 10_000],
        ["sampling.stepsPerLevel", 1_000_000],
      ].map(([key, most]) => [
        `train run.yaml --set ${key}=1000000000`,
        `config: run.yaml --set ${key}=1000000000: ${key}: got 1000000000, expected at most ${most}`,
      ]),
    ),
    "train sde.yaml --set sde.numScales=1e9":
      "config: sde.yaml --set sde.numScales=1e9: sde.numScales: got 1000000000, expected at most 1000000",
    "train run.yaml --set training.sampleCount=1000000000":
      "train: got 1000000000 images of 1x8x8, expected at most 15728640 in one go; lower training.sampleCount",
  }).map(([args, says]) => {
    const files = {
      "ladder.safetensors": checkpoint(),
      "sde.safetensors": checkpoint(tinyOnSde()),
      "run.yaml": tiny(),
      "sde.yaml": tinyOnSde(),
    };
    return [args, { args, files, says }];
  }),
);

const firstDraw = JSON.stringify(randomFill.variants[0]);
const widths = [...new Set(convRows.variants.map(({ kw }) => kw))];
const options: Record<string, Case> = {
  "no images": { args: "sample . --n 0", says: "got --n 0, expected a whole number from 1" },
  "fewer than none": { args: "sample . --n -1", says: "got --n -1, expected a whole number from 1" },
  "a word": { args: "sample . --n many", says: "got --n many, expected a whole number from 1" },
  "no steps": { args: "sample . --steps 0", says: "got --steps 0, expected a whole number from 1" },
  "no step size": { args: "sample . --epsilon 0", says: "got --epsilon 0, expected a number above 0" },
  "a step backwards": {
    args: "sample . --epsilon=-1e-5",
    says: "got --epsilon -1e-5, expected a number above 0",
  },
  "half a seed": { args: "sample . --seed 0.5", says: "got --seed 0.5, expected a whole number from 0" },
  "no batch": {
    args: "model describe run.yaml --batch 0",
    says: "got --batch 0, expected a whole number from 1",
  },
  "no network to describe": {
    args: "model describe nowhere.yaml",
    says: "config: cannot read nowhere.yaml (ENOENT); check the path",
  },
  "a misspelt command": { args: "trian run.yaml", says: "unknown command 'trian', did you mean train?" },
  "an unknown command": { args: "compose", says: "unknown command 'compose'; see stein --help" },
  "help for an unknown command": {
    args: "help compose",
    says: "unknown command 'compose'; see stein --help",
  },
  "help for a misspelt command": { args: "help trian", says: "unknown command 'trian', did you mean train?" },
  "a misspelt option": {
    args: "train run.yaml --reume",
    says: "unknown option '--reume', did you mean --resume?",
  },
  "an unknown option": { args: "doctor --xyzzy", says: "unknown option '--xyzzy'; see stein doctor --help" },
  "no argument": { args: "train", says: "missing required argument 'config'; see stein train --help" },
  "no value": {
    args: "train run.yaml --out",
    says: "option '-o, --out <folder>' argument missing; see stein train --help",
  },
  "too many arguments": {
    args: "sample a b",
    says: "too many arguments for 'sample'. Expected 1 argument but got 2; see stein sample --help",
  },
  "no bench of that name": {
    args: "bench fussion",
    says: "bench: got fussion, expected one of kernels, fusion; did you mean fusion?",
  },
  "a misspelt kernel": {
    args: "kernels show conv_row",
    says: 'kernels: no kernel "conv_row", did you mean conv_rows?',
  },
  "an unknown kernel": {
    args: "kernels show transmogrify",
    says: 'kernels: no kernel "transmogrify"; see stein kernels list',
  },
  "a misspelt subcommand": {
    args: "kernels shwo conv_rows",
    says: "unknown command 'shwo', did you mean show?",
  },
  "a variant that is no JSON": {
    args: "kernels show random_fill --variant law=bits",
    says: `kernels: got --variant law=bits, expected JSON such as '${firstDraw}'`,
  },
  "a variant that is no object": {
    args: "kernels show random_fill --variant 5",
    says: `kernels: got --variant 5, expected JSON such as '${firstDraw}'`,
  },
  "a setting the kernel has not": {
    args: 'kernels show random_fill --variant {"colour":1}',
    says: `kernels: random_fill has no "colour" in its variants, expected ${Object.keys(randomFill.variants[0]!).join(", ")}`,
  },
  "a setting of a kernel that has none": {
    args: 'kernels show multiply_add --variant {"law":"bits"}',
    says: 'kernels: multiply_add has no "law" in its variants, expected none: it has but one variant',
  },
  "a value the setting cannot have": {
    args: 'kernels show random_fill --variant {"law":"cauchy"}',
    says: 'kernels: got law "cauchy" for random_fill, expected one of normal, uniform, bits',
  },
  "a size below 1": {
    args: 'kernels show conv_rows --variant {"kw":0}',
    says: `kernels: got kw 0 for conv_rows, expected a whole number from 1, such as ${widths.join(", ")}`,
  },
};

for (const [title, cases] of Object.entries({
  configurations,
  networks,
  samplers,
  images,
  runs,
  huge,
  options,
})) {
  describe(title, () => {
    test.each(Object.entries(cases))("%s", (_, refused) => holdTo(refused, steinHere)); // which opens no device
  });
}

async function holdTo({ args, files, says }: Case, run: typeof steinHere): Promise<void> {
  const { code, stdout, complaints, announced } = await run(args.split(" "), { cwd: newFolder(files) });
  expect(complaints).toEqual([`stein: ${says}`]);
  expect(announced).toEqual([]);
  expect(stdout).toBe("");
  expect(code).toBe(2);
}

describe("beside them", { timeout: 60_000 }, () => {
  test.each([
    configurations["a misspelt key"]!,
    runs["an empty checkpoint"]!,
    options["a misspelt command"]!,
  ])("in a process of its own: $args", (refused) => holdTo(refused, stein));

  test("a device opened on the way would be told: the checks above can fail", async () => {
    const { code, complaints } = await steinHere(["doctor"]);
    expect(complaints[0]).toBe("Error: a device was opened");
    expect(code).toBe(1);
  });

  test("a misspelt STEIN_DRIVER", async () => {
    const { code, complaints } = await stein(["doctor"], { env: { STEIN_DRIVER: "embeded" } });
    expect(complaints).toEqual(["stein: STEIN_DRIVER: got embeded, expected auto, system or embedded"]);
    expect(code).toBe(2);
  });

  test("--debug, before or after the command, shows where an error came from", async () => {
    const cwd = newFolder();
    for (const { code, complaints } of [
      await stein(["--debug", "sample", "nowhere"], { cwd }),
      await steinHere(["sample", "nowhere", "--debug"], { cwd }),
    ]) {
      expect(complaints[0]).toBe(
        "UsageError: checkpoint: cannot read nowhere (ENOENT); give a run's folder or a checkpoint file",
      );
      expect(complaints[1]).toMatch(/^ {4}at openCheckpoint \(.*cli[\\/]run\.ts:\d+:\d+\)$/);
      expect(code).toBe(2);
    }
  });

  test("a refused run leaves what was there as it was", async () => {
    const cwd = newFolder({ "run.yaml": tiny(), "checkpoint.safetensors": whole });
    mkdirSync(join(cwd, "below"));
    writeFileSync(join(cwd, "metrics.jsonl"), "mine");
    expect((await steinHere(["train", "run.yaml", "--out", "."], { cwd })).code).toBe(2);
    expect(readFileSync(join(cwd, "metrics.jsonl"), "utf8")).toBe("mine");
    expect(readFileSync(join(cwd, "checkpoint.safetensors"))).toEqual(Buffer.from(whole));
  });
});
