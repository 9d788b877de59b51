/** What a user is told who asks the commands of control, likelihood and latent space for something that cannot be. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { encode } from "fast-png";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { colorizeCommand } from "../../cli/commands/colorize.ts";
import { encodeCommand } from "../../cli/commands/encode.ts";
import { inpaintCommand } from "../../cli/commands/inpaint.ts";
import { interpolateCommand } from "../../cli/commands/interpolate.ts";
import { likelihoodCommand } from "../../cli/commands/likelihood.ts";
import { restoreCommand } from "../../cli/commands/restore.ts";
import { parseConfig, writeConfig } from "../../cli/config.ts";
import { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { packValues } from "../../train/checkpoint.ts";
import { newFolder, removeFolders, stein, tiny, tinyOnSde } from "./stein.ts";

const folder = newFolder();
const create = vi.spyOn(Engine, "create").mockImplementation(() => {
  throw new Error("a device was opened");
});
afterAll(() => {
  create.mockRestore();
  removeFolders();
});

/** A checkpoint of which only the configuration and the shape of the images are looked at. */
const checkpoint = (yaml: string, image: readonly [number, number, number] = [1, 8, 8]) =>
  packValues({ network: new Map(), ema: new Map(), image, config: writeConfig(parseConfig(yaml, "test")) });

beforeAll(() => {
  const write = (name: string, bytes: Uint8Array | string) => writeFileSync(join(folder, name), bytes);
  const black = (width: number, height: number) =>
    encode({ width, height, channels: 1, depth: 8, data: new Uint8Array(width * height) });
  write("ladder", checkpoint(tiny()));
  write("sde", checkpoint(tinyOnSde()));
  write("steps", checkpoint(tinyOnSde({ sde: { continuous: false } })));
  write("subvp", checkpoint(tinyOnSde({ sde: { name: "subvp", sigmaMax: undefined } })));
  write("vp", checkpoint(tinyOnSde({ sde: { name: "vp", sigmaMax: undefined } })));
  write("large", checkpoint(tinyOnSde({ data: { size: 28 } }), [1, 28, 28]));
  write("moved", checkpoint(tinyOnSde({ data: { name: "mnist", count: undefined, path: "/nowhere" } })));
  write("wide.png", black(9, 7));
  write("black.png", black(8, 8));
  write("broken.png", "no picture");
});

const commands = [
  inpaintCommand,
  colorizeCommand,
  restoreCommand,
  interpolateCommand,
  encodeCommand,
  likelihoodCommand,
];

/** The message of what a command line ends with, with the folder left out. */
async function complaintOf(line: string): Promise<string> {
  const program = new Command("stein").exitOverride().configureOutput({ writeErr: () => {} });
  for (const add of commands) add(program);
  const [command, run, ...args] = line.split(" ").map((word) => word.replace("@", `${folder}/`));
  try {
    await program.parseAsync(["node", "stein", command!, join(folder, run!), ...args]);
  } catch (fault) {
    if (!(fault instanceof UsageError)) throw fault;
    return fault.message.replaceAll(`${folder}/`, "");
  }
  throw new Error(`nothing was wrong with ${line}`);
}

const images = {
  "inpaint sde --data 4": "got --data 4, expected a:b with whole numbers and a below b, such as 0:16",
  "inpaint sde --data 4:4": "got --data 4:4, expected a:b with whole numbers and a below b, such as 0:16",
  "inpaint sde --data 8:20":
    "inpaint: got --data 8:20 of the 16 images of digits (held back), expected at most 16",
  "inpaint sde --images @nowhere.png":
    "images: cannot read nowhere.png (no such file or folder), expected a file; check its name and rights",
  "inpaint sde --images @black.png --data 0:2":
    "inpaint: got --data 0:2 of the 1 images of black.png, expected at most 1",
  "inpaint sde --images @broken.png":
    /^images: got broken\.png of 10 bytes, expected a whole PNG or JPEG file \(.+\); convert it to PNG$/,
  "encode moved":
    "mnist: got no images in /nowhere, expected train-images-idx3-ubyte or train-images-idx3-ubyte.gz; " +
    "bring the files there by stein data fetch mnist --to /nowhere, or use the built-in digits, or give --images of your own",
  "encode sde --out @black.png":
    "encode: got --out black.png, which is a file, expected a folder; give another --out",
};

const masks = {
  "inpaint sde --mask middle":
    "mask: got middle, expected left, right, top, bottom, center, checker, random:P, or a PNG file, white where pixels are known",
  "inpaint sde --mask random:2":
    "mask: got random:2, expected a share of pixels to hide between 0 and 1, such as random:0.5",
  "inpaint sde --mask random:0.000001":
    "mask: got random:0.000001, which hides no pixel of 8x8, expected some hidden and some known",
  "inpaint sde --mask @black.png":
    "mask: got black.png, which hides every pixel of 8x8, expected some hidden and some known",
  "inpaint sde --mask @wide.png": "mask: got wide.png of 9x7 pixels, expected 8x8, the size of the images",
  "inpaint sde --mask @broken.png":
    /^mask: got broken\.png of 10 bytes, expected a whole PNG file \(.+\); convert it to PNG$/,
};

const operator =
  "superres:N with N from 2 that divides 8, blur:SIGMA in pixels, or fourier:SHARE above 0 and up to 1";
const operators = Object.fromEntries(
  ["superres:3", "superres:1", "blur:0", "blur:80", "fourier:0", "fourier:1.5", "sharpen:2", "blur"].map(
    (text) => [`restore sde --operator ${text}`, `restore: got --operator ${text}, expected ${operator}`],
  ),
);

const ladder = (who: string) =>
  `${who}: got a network on a ladder of noise scales, expected one on an SDE; train one with an sde section in its configuration`;
const inSteps = (who: string) =>
  `${who}: got a network that knows only its 20 steps, expected one that knows all times, for the probability flow goes through them; train one with sde.continuous true`;
const networks = {
  "colorize ladder": ladder("colorize"),
  "restore ladder --operator blur:1": ladder("restore"),
  "likelihood ladder": ladder("likelihood"),
  "encode ladder": ladder("encode"),
  "likelihood steps": inSteps("likelihood"),
  "encode steps": inSteps("encode"),
  "interpolate steps": inSteps("interpolate"),
  "colorize sde":
    "colorize: got a network of grey images, 1x8x8, expected three channels; train one with data.channels 3",
  "likelihood large --probe exact":
    "likelihood: got --probe exact for images of 1x28x28, 784 numbers, expected at most 256; take --probe rademacher with --repeats",
};

const samplers = {
  "inpaint sde --epsilon 0.1":
    "inpaint: got --epsilon, which is for networks on a ladder of noise scales; leave it out",
  "inpaint sde --redraw level":
    "inpaint: got --redraw, which is for networks on a ladder of noise scales; leave it out",
  "inpaint ladder --corrector-steps 2":
    "inpaint: got --corrector-steps, which is for networks on an SDE; leave it out",
  "inpaint steps --steps 5":
    "inpaint: got --steps 5 for a network that knows only its 20 steps; leave it out",
  "restore vp --operator blur:1 --steps 5": /^vp: got betaMax 20 in 5 steps, .*; take at least 20 steps$/,
  "inpaint sde --predictor none --corrector none":
    "predictorCorrector: got neither predictor nor corrector, expected at least one",
  "inpaint subvp --predictor ancestral_sampling": /^ancestral/,
  "inpaint sde --n 0": "got --n 0, expected a whole number from 1",
  "inpaint sde --seed -1": "got --seed -1, expected a whole number from 0",
  "inpaint sde --seed 9007199254740993":
    "got --seed 9007199254740993, expected a whole number from 0 to 9007199254740991, 2^53 - 1",
  "likelihood sde --repeats 2 --seed 9007199254740991":
    "likelihood: got seed 9007199254740991 with --repeats 2, whose last seed is beyond 2^53 - 1; lower --seed",
  "likelihood sde --tolerance 1": "got --tolerance 1, expected a number from 1e-7 and below 1, such as 1e-5",
};

const interpolations = {
  "interpolate sde --between 3": "got --between 3, expected two different whole numbers, such as 3,7",
  "interpolate sde --between 3,3": "got --between 3,3, expected two different whole numbers, such as 3,7",
  "interpolate sde --steps 1": "got --steps 1, expected a whole number from 2",
  "interpolate sde --seed 1":
    "interpolate: got --seed, which is for networks on a ladder of noise scales; leave it out",
  "interpolate ladder --between 1,2":
    "interpolate: got --between, which is for networks on an SDE; leave it out",
  "interpolate sde --images @black.png": "interpolate: got --images with seeds, expected --of images with it",
  "interpolate sde --of images --temperature 0.9":
    "interpolate: got --temperature with --of images, whose latents are not drawn; leave one of them out",
  "interpolate sde --of images --between 0,14":
    "interpolate: got --between 0,14 in 4 rows of the 16 images of digits (held back), expected at most 16",
};

for (const [title, cases] of Object.entries({ images, masks, operators, networks, samplers, interpolations }))
  describe(title, () => {
    test.each(Object.entries<string | RegExp>(cases))("%s", async (line, says) => {
      expect(await complaintOf(line)).toEqual(typeof says === "string" ? says : expect.stringMatching(says));
      expect(create).not.toHaveBeenCalled();
    });
  });

test("exit code 2 and one line", { timeout: 60_000 }, async () => {
  const { code, stdout, complaints } = await stein(["likelihood", "ladder"], { cwd: folder });
  expect(complaints).toEqual([`stein: ${ladder("likelihood")}`]);
  expect(stdout).toBe("");
  expect(code).toBe(2);
});
