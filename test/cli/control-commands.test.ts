/** The commands of control, likelihood and latent space from end to end. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode, encode } from "fast-png";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodePng } from "../../data/png.ts";
import { rand } from "../../engine/random.ts";
import { engine } from "../support/engine.ts";
import { colourful, untrained } from "./control-files.ts";
import { newFolder, removeFolders, stein, tiny, tinyOnSde } from "./stein.ts";

afterAll(removeFolders);

const cwd = newFolder();
const steps = { sde: { numScales: 4 } };

beforeAll(async () => {
  mkdirSync(join(cwd, "colours"));
  for (const k of [0, 1]) writeFileSync(join(cwd, "colours", `${k}.png`), colourful(k));
  const write = async (
    name: string,
    ...of: Parameters<typeof untrained> extends [unknown, ...infer R] ? R : never
  ) => writeFileSync(join(cwd, name), await untrained(engine, ...of));
  await write("ladder", tiny());
  await write("sde", tinyOnSde(steps));
  await write("zero", tinyOnSde(steps), { zero: true });
  await write("colour", tinyOnSde({ ...steps, data: { channels: 3 } }), { channels: 3 });
});

/** What a command printed as JSON. */
async function run(command: string): Promise<Record<string, never>> {
  const { code, stdout, complaints } = await stein(`${command} --json`.split(" "), { cwd });
  expect(complaints.filter((line) => line.startsWith("stein:"))).toEqual([]);
  expect(code).toBe(0);
  return JSON.parse(stdout) as Record<string, never>;
}

function array(path: string, name: string): Float32Array {
  const npy = unzipSync(readFileSync(join(cwd, path)))[`${name}.npy`]!;
  return new Float32Array(npy.slice(128).buffer); // behind the header
}

const png = (path: string) => decodePng(readFileSync(join(cwd, path)));

describe.concurrent("inpaint", () => {
  test("on a ladder: a row for each image, what is known as it was", async ({ expect }) => {
    const facts = await run(
      "inpaint ladder --data 1:3 --mask left --n 2 --redraw step --seed 5 --npz --out a",
    );
    expect(facts).toMatchObject({
      ...{
        images: "digits (held back), 1 to 2",
        count: 2,
        n: 2,
        seed: 5,
        mask: "left",
        hiddenShare: 0.5,
        nfe: 10,
      },
      files: ["a/inpainted.png", "a/inpainted.npz"],
    });
    const [images, completions] = [
      array("a/inpainted.npz", "images"),
      array("a/inpainted.npz", "completions"),
    ];
    for (let i = 0; i < 4 * 64; i++)
      if (i % 8 >= 4) expect(completions[i]).toBe(images[Math.floor(i / 128) * 64 + (i % 64)]);

    const { width, height, values, channels } = png("a/inpainted.png");
    const scale = 11; // of 8 pixels, to about 84
    expect([channels, width, height]).toEqual([1, 2 + 4 * (8 * scale + 2), 2 + 2 * (8 * scale + 2)]);
    const at = (cell: number, y: number, x: number) =>
      values[(2 + y * scale) * width + 2 + cell * (8 * scale + 2) + x * scale]!;
    for (const [y, x] of [
      [3, 1],
      [4, 6],
    ] as const) {
      expect(at(0, y, x)).toBeCloseTo(images[8 * y + x]!, 2);
      expect(at(1, y, x)).toBeCloseTo(x < 4 ? 0.5 : images[8 * y + x]!, 2); // grey where it is not known
      expect(at(2, y, x)).toBeCloseTo(Math.min(1, Math.max(0, completions[8 * y + x]!)), 2);
    }
  });

  test("on an SDE, of a PNG file under a mask in another, in words", async ({ expect }) => {
    const white = Uint8Array.from({ length: 3 * 64 }, (_, i) => (i < 96 ? 255 : 0));
    writeFileSync(join(cwd, "mask.png"), encode({ width: 8, height: 8, channels: 3, depth: 8, data: white }));
    const args = "inpaint sde --images colours/1.png --mask mask.png --n 1 --corrector langevin --out b";
    const { code, stdout } = await stein(args.split(" "), { cwd });
    expect(code).toBe(0);
    const [first, second, wrote, ...rest] = stdout.trimEnd().split("\n");
    expect(first).toBe(
      "1 completion of 1 image (colours/1.png, 0 to 0), 50.0 % hidden; seed 0, 8 evaluations of the score",
    );
    expect(second).toMatch(/^hidden pixels: [\d.]+ from the images, root mean square$/);
    expect(wrote).toBe("wrote b/inpainted.png");
    expect(rest).toEqual([]);
    expect(readdirSync(join(cwd, "b"))).toEqual(["inpainted.png"]);
  });
});

test.concurrent("colorize keeps the grey values", async ({ expect }) => {
  const facts = await run("colorize colour --images colours --n 2 --npz --out c");
  expect(facts).toMatchObject({ images: "colours, 0 to 1", count: 2, n: 2, nfe: 8 });
  expect(facts.greyError).toBeLessThan(1e-5);
  const [grey, colorings] = [array("c/colorized.npz", "grey"), array("c/colorized.npz", "colorings")];
  const [original] = [decode(colourful(1)).data];
  expect(grey[64]).toBeCloseTo((original[0]! + original[1]! + original[2]!) / 3 / 255, 5);
  const last = colorings.subarray(3 * 3 * 64); // the second of the second image
  for (let i = 0; i < 64; i++)
    expect((last[i]! + last[64 + i]! + last[128 + i]!) / 3).toBeCloseTo(grey[64 + i]!, 4);
  expect(png("c/colorized.png").channels).toBe(3);
});

test.concurrent("restore has the observation of the images", async ({ expect }) => {
  const facts = await run("restore sde --data 0:2 --n 2 --operator superres:4 --npz --out d");
  expect(facts).toMatchObject({ count: 2, n: 2, observation: "means over 4x4 pixels" });
  expect((facts.residual! as { relative: number }).relative).toBeLessThan(1e-5);
  expect(facts.files).toEqual(["d/restored.png", "d/restored.npz"]);
  const [images, restorations] = [array("d/restored.npz", "images"), array("d/restored.npz", "restorations")];
  const corner = (of: Float32Array, from: number) => {
    let sum = 0;
    for (let i = 0; i < 16; i++) sum += of[from + 8 * (i >> 2) + (i & 3)]!;
    return sum / 16;
  };
  expect(corner(restorations, 3 * 64)).toBeCloseTo(corner(images, 64), 5);
});

/** With a score of 0 nothing moves on the VE SDE, so that x itself is the latent. */
test.concurrent("encode and likelihood of a network whose score is 0 give the images and the bits of the prior", async ({
  expect,
}) => {
  const sigmaMax = 8;
  const encoded = await run("encode zero --data 2:5 --out g");
  expect(encoded).toMatchObject({ count: 3, error: { max: 0, rms: 0 }, expectedNorm: { mean: 1 } });
  expect(encoded.files).toEqual(["g/latents.npz", "g/reconstructions.png"]);
  const { width, height } = png("g/reconstructions.png");
  expect([width, height]).toEqual([2 + 3 * 90, 2 + 2 * 90]);
  const images = array("g/latents.npz", "images");
  expect(array("g/latents.npz", "latents")).toEqual(images);

  const facts = await run("likelihood zero --data 2:5 --seed 6 --repeats 2");
  const bitsOf = async (seed: number) => {
    const u = await rand(engine, [3, 1, 8, 8], { seed, purpose: "user", sampleOffset: 2 }).data();
    return Array.from({ length: 3 }, (_, k) => {
      let squares = 0;
      for (let i = 64 * k; i < 64 * (k + 1); i++)
        squares += ((Math.round(255 * images[i]!) + u[i]!) / 256) ** 2;
      const nats = -squares / (2 * sigmaMax ** 2) - 32 * Math.log(2 * Math.PI * sigmaMax ** 2);
      return -nats / (64 * Math.LN2) + 8;
    });
  };
  const expected = [await bitsOf(6), await bitsOf(7)];
  const perImage = facts.perImage as unknown as { image: number; bitsPerDim: number; measured: number[] }[];
  for (const [k, { image, measured, bitsPerDim }] of perImage.entries()) {
    expect(image).toBe(2 + k);
    for (const [r, bits] of measured.entries()) expect(Math.abs(bits - expected[r]![k]!)).toBeLessThan(1e-5);
    expect(bitsPerDim).toBeCloseTo((measured[0]! + measured[1]!) / 2, 10);
  }
  expect(facts).toMatchObject({ count: 3, probe: "rademacher", seeds: [6, 7], batch: 64, tolerance: 1e-5 });
  expect(facts.bitsPerDim).toBeCloseTo(perImage.reduce((sum, { bitsPerDim }) => sum + bitsPerDim, 0) / 3, 10);
});

test.concurrent("interpolate between images has them at its ends", async ({ expect }) => {
  const facts = await run("interpolate sde --between 0,3 --of images --rows 2 --steps 3 --npz --out h");
  expect(facts).toMatchObject({ rows: 2, steps: 3, between: [0, 3], of: "images", temperature: 1 });
  expect(png("h/interpolated.png").width).toBe(2 + 5 * 90); // the images themselves beside their round trips
  expect(array("h/interpolated.npz", "samples").length).toBe(2 * 3 * 64);
});

test.concurrent("interpolate on a ladder", async ({ expect }) => {
  const facts = await run("interpolate ladder --rows 1 --steps 4 --seed 2 --out i");
  expect(facts).toMatchObject({ rows: 1, steps: 4, seed: 2, nfe: 10 });
  expect(png("i/interpolated.png").width).toBe(2 + 4 * 90);
});
