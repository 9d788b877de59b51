/** What the command line says of itself. None of this needs a device. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as kernels from "../../kernels/index.ts";
import { type Kernel, source } from "../../kernels/kernel.ts";
import { stein, steinHere } from "./stein.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** What a command says of itself. */
async function helpOf(...command: string[]): Promise<string> {
  const { code, stdout } = await steinHere([...command, "--help"]);
  expect(code, stdout).toBe(0);
  return stdout;
}

describe("help", { timeout: 60_000 }, () => {
  test("stein --help names the commands and the exit codes", async () => {
    const { code, stdout, complaints } = await stein(["--help"]);
    expect(stdout).toMatchInlineSnapshot(`
      "Usage: stein [options] [command]

      Score-based generative models on hand-written WebGPU kernels.

      Options:
        -V, --version                        output the version number
        --debug                              show where an error came from
        -h, --help                           display help for command

      Commands:
        doctor [options]                     show the adapter, its limits and its
                                             measured speed; without one, what to
                                             install
        demo [options]                       train a small network on drawn digits and
                                             draw new ones, in minutes and without a
                                             download
        train [options] <config>             train a score network, or a classifier,
                                             as a YAML configuration says
        runs [options] [folder]              compare the runs in a folder: a table,
                                             and their losses over the steps in
                                             runs.svg
        sample [options] <run>               draw images from a trained network
        classify-guide [options] <run> <by>  draw images of a class from a network
                                             that knows no classes, by a classifier's
                                             gradient
        inpaint [options] <run>              draw the hidden pixels of images, several
                                             times each
        colorize [options] <run>             draw colours for grey images, several
                                             times each
        restore [options] <run>              draw images from a linear observation of
                                             them, several times each
        interpolate [options] <run>          draw rows of images that lead from one to
                                             another
        encode [options] <run>               turn images into latents of a network on
                                             an SDE, and back
        likelihood [options] <run>           measure bits per dimension of images
                                             under a network on an SDE
        schedule [options] [data]            noise scales and sampling for a data set,
                                             by the techniques of Song & Ermon 2020
        data                                 fetch, check and show the images to train
                                             on
        evaluate [options] <run>             measure how good a trained network's
                                             images are, beside real images and noise
        model                                describe the network of a configuration
        convert [options] <file>             turn the weights of an official PyTorch
                                             network into a checkpoint, or back
        kernels                              list the WGSL kernels, or show one as it
                                             is compiled
        tune [options] <config>              measure which kernels compute a network's
                                             steps the fastest on this adapter, and
                                             keep that
        bench                                measure kernels and sampling steps on
                                             this adapter
        help [command]                       display help for command

      Exit codes:
        0    done
        2    something to mend in what was asked
        3    no usable GPU or driver, or it failed
        130  stopped by Ctrl-C
        1    a fault of stein's own
      "
    `);
    expect(complaints).toEqual([]);
    expect(code).toBe(0);
  });

  test("stein alone shows the same, as something is missing", async () => {
    const { code, stdout, complaints } = await steinHere([]);
    expect(complaints[0]).toBe("Usage: stein [options] [command]");
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });

  test("stein train --help", async () => {
    expect(await helpOf("train")).toMatchInlineSnapshot(`
      "Usage: stein train [options] <config>

      train a score network, or a classifier, as a YAML configuration says

      Arguments:
        config                     configuration, such as configs/demo.yaml

      Options:
        --checkpointing            keep only what goes into each block and compute the
                                   rest again; or training.checkpointing
        --precision <kind>         mixed stores activations as f16; or
                                   training.precision (choices: "f32", "mixed")
        --set <section.key=value>  another value for a key of the configuration, such
                                   as training.steps=100; once for each key
        -o, --out <folder>         the run's folder; unless given, runs/ and the
                                   configuration's path below configs/, or its name
        --resume                   go on from the folder's checkpoint, if there is one
                                   yet
        --verify                   first run one step of 2 images beside the float64
                                   oracle and name any op that departs
        -h, --help                 display help for command

      Ctrl-C ends it after the step at hand, with a checkpoint and exit code 130;
      once more ends it at once.
      "
    `);
  });

  test("stein sample --help", async () => {
    expect(await helpOf("sample")).toMatchInlineSnapshot(`
      "Usage: stein sample [options] <run>

      draw images from a trained network

      Arguments:
        run                    a run's folder or a checkpoint file

      Options:
        --n <count>            how many images
        --range <a:b>          images a to b - 1 of those that the seed gives, to
                               share the work
        --batch <count>        how many at a time; the images are the same
        --seed <seed>          one seed gives one set of images
        --method <name>        annealed, consistent: of noise scales; others: of an
                               SDE (choices: "annealed", "consistent", "pc", "ode",
                               "heun", "euler", "ddim", "edm")
        --steps <T>            steps at each noise scale, or of the SDE
        --no-denoise           leave out the last denoising step
        --epsilon <e>          annealed, consistent: step size at the smallest scale
        --predictor <name>     pc (choices: "none", "euler_maruyama",
                               "reverse_diffusion", "ancestral_sampling")
        --corrector <name>     pc (choices: "none", "langevin", "ald")
        --corrector-steps <n>  pc: steps of the corrector at each time
        --snr <r>              pc: signal to noise of the corrector
        --snr-over <what>      pc: norms of each image, or as published (choices:
                               "sample", "batch")
        --temperature <f>      ode, heun, euler: factor of the latents
        --eta <e>              ddim: noise, from 0 to 1
        --churn <c>            edm: noise on the way, such as 40
        --raw                  the newest weights instead of their running average
        --animate              also write sampling.gif and denoised.png
        --npz                  also write samples.npz, for NumPy
        --json                 say what was done as JSON
        --resume               go on with what was stopped, if anything was, as it was
                               asked for then
        --save-every <s>       seconds between two saves of the state (default: 30)
        -o, --out <folder>     where to write; the run's folder unless given
        -h, --help             display help for command

      What is not given is as the run's configuration says. Ctrl-C ends it after the step at hand,
      all being kept for --resume; once more ends it at once. Guide: docs/sampling.md
      "
    `);
  });

  test("stein inpaint --help", async () => {
    expect(await helpOf("inpaint")).toMatchInlineSnapshot(`
      "Usage: stein inpaint [options] <run>

      draw the hidden pixels of images, several times each

      Arguments:
        run                    a run's folder or a checkpoint file

      Options:
        --mask <name>          what is hidden: left, right, top, bottom, center,
                               checker, random:P, or a PNG file, white where pixels
                               are known (default: "right")
        --epsilon <e>          on a ladder: step size at the smallest noise scale
        --redraw <when>        on a ladder: new noise for the known pixels at each
                               level or step (choices: "level", "step")
        --data <a:b>           images a to b - 1 of the run's held-back ones, or of
                               --images; the first 8 unless given
        --images <path>        a PNG or JPEG file, or a folder of them, in place of
                               the run's own
        --seed <seed>          one seed gives one set of images
        --steps <T>            steps at each noise scale, or of the SDE
        --predictor <name>     of an SDE (choices: "none", "euler_maruyama",
                               "reverse_diffusion", "ancestral_sampling")
        --corrector <name>     of an SDE; "ald" unless one is configured (choices:
                               "none", "langevin", "ald")
        --corrector-steps <n>  of the corrector at each time: more heed what is known
                               better
        --snr <r>              signal to noise of the corrector
        --n <count>            completions of each image (default: 4)
        --raw                  the newest weights instead of their running average
        --npz                  also write inpainted.npz, for NumPy
        --json                 as JSON
        -o, --out <folder>     where to write; the run's folder unless given
        -h, --help             display help for command

      Writes inpainted.png, a row for each image: the image, what is known of it, its completions.
      What is not given is as the run's configuration says; docs/control.md tells how far to trust it.
      "
    `);
  });

  test("stein colorize --help", async () => {
    expect(await helpOf("colorize")).toMatchInlineSnapshot(`
      "Usage: stein colorize [options] <run>

      draw colours for grey images, several times each

      Arguments:
        run                    a run's folder or a checkpoint file, of a network of
                               colour images on an SDE

      Options:
        --data <a:b>           images a to b - 1 of the run's held-back ones, or of
                               --images; the first 8 unless given
        --images <path>        a PNG or JPEG file, or a folder of them, in place of
                               the run's own
        --seed <seed>          one seed gives one set of images
        --steps <T>            steps of the SDE
        --predictor <name>     of an SDE (choices: "none", "euler_maruyama",
                               "reverse_diffusion", "ancestral_sampling")
        --corrector <name>     of an SDE; "ald" unless one is configured (choices:
                               "none", "langevin", "ald")
        --corrector-steps <n>  of the corrector at each time: more heed what is known
                               better
        --snr <r>              signal to noise of the corrector
        --n <count>            colorings of each image (default: 4)
        --raw                  the newest weights instead of their running average
        --npz                  also write colorized.npz, for NumPy
        --json                 as JSON
        -o, --out <folder>     where to write; the run's folder unless given
        -h, --help             display help for command

      Writes colorized.png, a row for each image: the image, its grey values, its colorings.
      What is not given is as the run's configuration says; docs/control.md tells how far to trust it.
      "
    `);
  });

  test("stein restore --help", async () => {
    expect(await helpOf("restore")).toMatchInlineSnapshot(`
      "Usage: stein restore [options] <run>

      draw images from a linear observation of them, several times each

      Arguments:
        run                      a run's folder or a checkpoint file, of a network on
                                 an SDE

      Options:
        --operator <name:value>  superres:N means over NxN pixels, blur:SIGMA pixels,
                                 fourier:SHARE of the frequencies
        --data <a:b>             images a to b - 1 of the run's held-back ones, or of
                                 --images; the first 8 unless given
        --images <path>          a PNG or JPEG file, or a folder of them, in place of
                                 the run's own
        --seed <seed>            one seed gives one set of images
        --steps <T>              steps of the SDE
        --predictor <name>       of an SDE (choices: "none", "euler_maruyama",
                                 "reverse_diffusion", "ancestral_sampling")
        --corrector <name>       of an SDE; "ald" unless one is configured (choices:
                                 "none", "langevin", "ald")
        --corrector-steps <n>    of the corrector at each time: more heed what is
                                 known better
        --snr <r>                signal to noise of the corrector
        --n <count>              restorations of each image (default: 4)
        --raw                    the newest weights instead of their running average
        --npz                    also write restored.npz, for NumPy
        --json                   as JSON
        -o, --out <folder>       where to write; the run's folder unless given
        -h, --help               display help for command

      Writes restored.png, a row for each image: the image, what was observed of it, its restorations.
      What is not given is as the run's configuration says; docs/control.md tells how far to trust it.
      "
    `);
  });

  test("stein interpolate --help", async () => {
    expect(await helpOf("interpolate")).toMatchInlineSnapshot(`
      "Usage: stein interpolate [options] <run>

      draw rows of images that lead from one to another

      Arguments:
        run                    a run's folder or a checkpoint file

      Options:
        --rows <n>             rows (default: 4)
        --steps <K>            images in a row, both ends among them (default: 8)
        --between <a,b>        on an SDE: two seeds, or the numbers of two images; 0,1
                               unless given
        --of <what>            what --between numbers; seeds unless given (choices:
                               "seeds", "images")
        --images <path>        with --of images: a folder, in place of the run's
                               held-back ones
        --temperature <f>      of latents of seeds: below 1 for likelier images
        --tolerance <e>        on an SDE: error of a solver's step, relative and
                               absolute; 1e-5 unless given
        --seed <seed>          on a ladder: one seed gives one set of rows
        --steps-per-level <T>  on a ladder: steps at each noise scale
        --epsilon <e>          on a ladder: step size at the smallest noise scale
        --raw                  the newest weights instead of their running average
        --npz                  also write interpolated.npz, for NumPy
        --json                 as JSON
        -o, --out <folder>     where to write; the run's folder unless given
        -h, --help             display help for command

      Writes interpolated.png. On an SDE row r goes along the arc between the latents of two ends: sample r of
      both seeds, or images a + r and b + r, which then stand at its ends. On a ladder the images of a row mix two noises.
      "
    `);
  });

  test("stein encode --help", async () => {
    expect(await helpOf("encode")).toMatchInlineSnapshot(`
      "Usage: stein encode [options] <run>

      turn images into latents of a network on an SDE, and back

      Arguments:
        run                 a run's folder or a checkpoint file

      Options:
        --data <a:b>        images a to b - 1 of the run's held-back ones, or of
                            --images; the first 8 unless given
        --images <path>     a PNG or JPEG file, or a folder of them, in place of the
                            run's own
        --tolerance <e>     error of a solver's step, relative and absolute; 1e-5
                            unless given
        --batch <n>         images at a time: the solver's steps are chosen for all of
                            them (default: 64)
        --raw               the newest weights instead of their running average
        --json              as JSON
        -o, --out <folder>  where to write; the run's folder unless given
        -h, --help          display help for command

      Writes latents.npz for NumPy and reconstructions.png, the images above what came back of them.
      "
    `);
  });

  test("stein likelihood --help", async () => {
    expect(await helpOf("likelihood")).toMatchInlineSnapshot(`
      "Usage: stein likelihood [options] <run>

      measure bits per dimension of images under a network on an SDE

      Arguments:
        run              a run's folder or a checkpoint file

      Options:
        --data <a:b>     images a to b - 1 of the run's held-back ones, or of
                         --images; the first 16 unless given
        --images <path>  a PNG or JPEG file, or a folder of them, in place of the
                         run's own
        --tolerance <e>  error of a solver's step, relative and absolute; 1e-5 unless
                         given
        --batch <n>      images at a time: the solver's steps are chosen for all of
                         them (default: 64)
        --probe <name>   of the divergence: a random vector, or all directions (small
                         images) (choices: "rademacher", "gaussian", "exact", default:
                         "rademacher")
        --repeats <n>    measurements of each image, with new dequantization and a new
                         probe each (default: 1)
        --seed <seed>    of the first measurement; the next ones count on
        --raw            the newest weights instead of their running average
        --json           as JSON
        -h, --help       display help for command

      Images in 256 grey values are dequantized uniformly, so that the bits bound those of the grey values
      from above; docs/control.md tells more.
      "
    `);
  });

  test("stein convert --help", async () => {
    expect(await helpOf("convert")).toMatchInlineSnapshot(`
      "Usage: stein convert [options] <file>

      turn the weights of an official PyTorch network into a checkpoint, or back

      Arguments:
        file              what scripts/export_pytorch.py wrote; with --to-pytorch, a
                          run or a checkpoint

      Options:
        -o, --out <file>  the safetensors file to write
        --config <file>   configuration of the network, such as
                          configs/ncsn/cifar10.yaml
        --ema             only the running averages, in place of the weights
        --raw             only the newest weights, without their running averages
        --to-pytorch      write what load_state_dict takes: the averages where there
                          are any
        -h, --help        display help for command

      docs/convert.md goes through both ways.
      "
    `);
  });

  test("stein model describe --help", async () => {
    expect(await helpOf("model", "describe")).toMatchInlineSnapshot(`
      "Usage: stein model describe [options] <config>

      layers, parameters, operations, and what a training step needs of this adapter

      Arguments:
        config                     configuration, such as
                                   configs/ve/cifar10_ncsnpp_continuous.yaml

      Options:
        --checkpointing            keep only what goes into each block and compute the
                                   rest again; or training.checkpointing
        --precision <kind>         mixed stores activations as f16; or
                                   training.precision (choices: "f32", "mixed")
        --set <section.key=value>  another value for a key of the configuration, such
                                   as training.steps=100; once for each key
        --batch <n>                images of a step; as configured unless given
        --full                     every module, none folded
        --json                     as JSON
        -h, --help                 display help for command

      Nothing is computed: the network is walked through without the device.
      "
    `);
  });

  test("stein demo --help", async () => {
    expect(await helpOf("demo")).toMatchInlineSnapshot(`
      "Usage: stein demo [options]

      train a small network on drawn digits and draw new ones, in minutes and without
      a download

      Options:
        -o, --out <folder>  where to write (default: "out/demo")
        --config <file>     another configuration than configs/demo.yaml
        -h, --help          display help for command
      "
    `);
  });

  test("stein doctor --help", async () => {
    expect(await helpOf("doctor")).toMatchInlineSnapshot(`
      "Usage: stein doctor [options]

      show the adapter, its limits and its measured speed; without one, what to
      install

      Options:
        --json      as JSON
        -h, --help  display help for command
      "
    `);
  });

  test("stein kernels --help", async () => {
    expect(await helpOf("kernels")).toMatchInlineSnapshot(`
      "Usage: stein kernels [options] [command]

      list the WGSL kernels, or show one as it is compiled

      Options:
        -h, --help             display help for command

      Commands:
        list [options]         every kernel with its number of variants and its
                               parameters
        show [options] <name>  the WGSL of a kernel, exactly as it is compiled
        help [command]         display help for command
      "
    `);
  });

  test("stein kernels show --help", async () => {
    expect(await helpOf("kernels", "show")).toMatchInlineSnapshot(`
      "Usage: stein kernels show [options] <name>

      the WGSL of a kernel, exactly as it is compiled

      Arguments:
        name              a kernel's name, as listed

      Options:
        --variant <json>  which variant, as JSON; what is left out is as in the first
        --variants        list the kernel's variants instead
        -h, --help        display help for command
      "
    `);
  });

  test("stein --version is that of the package", async () => {
    const { version } = JSON.parse(readFileSync(`${root}/package.json`, "utf8")) as { version: string };
    const { code, stdout } = await stein(["--version"]);
    expect(stdout).toBe(`${version}\n`);
    expect(code).toBe(0);
  });
});

describe("kernels", () => {
  const all = new Map((Object.values(kernels) as unknown as Kernel[]).map((k) => [k.name, k]));

  test("list --json holds every kernel", async () => {
    const { code, stdout } = await steinHere(["kernels", "list", "--json"]);
    const rows = JSON.parse(stdout) as { name: string; variants: number; params: string[] }[];
    expect(rows.map(({ name }) => name)).toEqual([...all.keys()].sort());
    for (const { name, variants, params } of rows) {
      expect(variants, name).toBe(all.get(name)!.variants.length);
      expect(params, name).toEqual(Object.keys(all.get(name)!.params));
    }
    expect(code).toBe(0);
  });

  test("list has a line for each", async () => {
    const { stdout } = await steinHere(["kernels", "list"]);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.length).toBe(all.size);
    expect(lines.find((line) => line.startsWith("multiply_add"))).toMatch(
      /^multiply_add {11,} 1 variant {3}\(threads, rounds, a\)$/,
    );
    expect(lines.find((line) => line.startsWith("conv_rows"))).toMatch(
      /^conv_rows {13,}\d+ variants {2}\(n, ci, /,
    );
  });

  test("show prints what is compiled: the first variant, another, one that no network has used yet", async () => {
    const rows = all.get("conv_rows")!;
    const [first, second] = rows.variants;
    const seven = { kw: 7, strideX: 1, dilationX: 1 };
    const show = async (...args: string[]) =>
      (await steinHere(["kernels", "show", "conv_rows", ...args])).stdout;
    expect(await show()).toBe(source(rows, first!));
    expect(await show("--variant", JSON.stringify(second))).toBe(source(rows, second!));
    expect(await show("--variant", JSON.stringify(seven))).toBe(source(rows, { ...first, ...seven }));
    expect(await show("--variants")).toBe(rows.variants.map((v) => `${JSON.stringify(v)}\n`).join(""));
  });
});

test("a reader of the output that has enough ends it without a word", { timeout: 60_000 }, async () => {
  const child = spawn(
    process.execPath,
    ["bin/stein.js", "kernels", "show", "conv_weight_rows", "--variants"],
    { cwd: root },
  );
  child.stdout.destroy(); // as head does
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += text));
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(stderr).toBe("");
  expect(code).toBe(141);
});

test.skipIf(!existsSync("/dev/full"))("a full disc under the output is told in a line", async () => {
  const full = openSync("/dev/full", "w");
  const child = spawn(process.execPath, ["bin/stein.js", "kernels", "list"], {
    cwd: root,
    stdio: ["ignore", full, "pipe"],
  });
  let stderr = "";
  child.stderr!.on("data", (text) => (stderr += text));
  const code = await new Promise((resolve) => child.on("close", resolve));
  closeSync(full);
  expect(stderr).toMatch(
    /^stein: cannot write the output \(ENOSPC.*\), expected room for it; check the disc\n$/,
  );
  expect(code).toBe(2);
});

test.skipIf(process.platform === "win32")("a working folder that is gone is told in a line", async () => {
  const gone = mkdtempSync(join(tmpdir(), "gone-"));
  const leave = 'cd "$0" && rmdir "$0" && exec "$1" "$2" --version';
  const child = spawn("sh", ["-c", leave, gone, process.execPath, join(root, "bin/stein.js")]);
  let stderr = "";
  child.stderr.on("data", (text) => (stderr += text));
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(2);
  expect(stderr).toBe(
    "stein: got a working folder that was deleted, expected one that is there; change to another\n",
  );
});

test("one of the complaints, as of 2>&1 | head, too", { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, ["bin/stein.js", "nonsense"], { cwd: root });
  child.stderr.destroy();
  expect(await new Promise((resolve) => child.on("close", resolve))).toBe(141);
});
