import { Argument, type Command, Option } from "commander";
import { type CheckReport, checkData, kindOf } from "../../data/check.ts";
import { type ImageSet, order, toBatch } from "../../data/dataset.ts";
import { openImageSet } from "../../data/index.ts";
import { type FilterName, filterNames } from "../../data/resize.ts";
import { UsageError } from "../../engine/errors.ts";
import { counted } from "../control/output.ts";
import { fetchSet } from "../fetch/fetch-set.ts";
import { homeOf, type SourceName, sourceNames, sources } from "../fetch/sources.ts";
import { most } from "../limits.ts";
import { wholeFrom } from "../options.ts";
import { grid } from "../pictures/png.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { endLine, Progress, progressOf } from "../progress.ts";
import { requireRoom } from "../room.ts";
import { requireWritableFile } from "../writable.ts";

interface ShowOptions {
  n: number;
  seed: number;
  size?: number;
  channels?: number;
  crop?: number;
  resize?: FilterName;
  out: string;
}

export function dataCommand(program: Command): void {
  const data = program.command("data").description("fetch, check and show the images to train on");
  fetchCommand(data);
  checkCommand(data);
  showCommand(data);
}

function fetchCommand(data: Command): void {
  data
    .command("fetch")
    .description("download a data set, with checksums; a broken download goes on where it ended")
    .addArgument(new Argument("<name>", "which").choices(sourceNames))
    .option("--to <folder>", "where to; datasets/NAME unless given")
    .option("--from <address>", "http address of the folder its files lie in; the official one unless given")
    .option("--json", "as JSON")
    .action(async (name: SourceName, { to, from, json }: { to?: string; from?: string; json?: boolean }) => {
      const folder = to ?? homeOf(name);
      let shown: { file: string; progress: Progress } | undefined;
      const fetched = await fetchSet(sources[name], {
        to: folder,
        from,
        onProgress: (file, done, total) => {
          if (shown?.file !== file)
            shown = { file, progress: new Progress(`${file}, KiB`, total && kibibytes(total)) };
          shown.progress.update(kibibytes(done));
        },
      });
      endLine();
      if (json) console.log(JSON.stringify({ name, folder, files: fetched }, null, 2));
      else {
        for (const { file, brought } of fetched) console.log(`${file}${brought ? "" : ", was there"}`);
        console.log(
          folder === homeOf(name)
            ? `${name} is in ${folder}, where the configurations look for it`
            : `${name} is in ${folder}: set data.path to it`,
        );
      }
    });
}

function checkCommand(data: Command): void {
  data
    .command("check")
    .description("read every file of a data set and tell what is wrong; exit code 2 if anything is")
    .argument("<folder>", "of MNIST or CIFAR-10 files, or of PNG and JPEG images")
    .option("--json", "as JSON")
    .action((folder: string, { json }: { json?: boolean }) => {
      const report = checkData(folder, progressOf("checking files"));
      if (json) console.log(JSON.stringify(report, null, 2));
      else print(report);
      const [first] = report.faults;
      if (first) {
        const more = report.faults.length - 1;
        throw new UsageError(first.fault + (more > 0 ? ` (and ${more} more, see --json)` : ""));
      }
    });
}

function showCommand(data: Command): void {
  data
    .command("show")
    .description("write a picture of some images, as training sees them but for flips and noise")
    .argument(
      "<folder>",
      'of MNIST or CIFAR-10 files, or of PNG and JPEG images; or "digits", the built-in ones',
    )
    .option("--n <count>", "how many images", wholeFrom(1, "--n"), 64)
    .option("--seed <seed>", "which", wholeFrom(0, "--seed"), 0)
    .option("--size <pixels>", "side of the images", wholeFrom(1, "--size", most.side))
    .option("--channels <c>", "1 for grey, 3 for RGB", wholeFrom(1, "--channels"))
    .option(
      "--crop <pixels>",
      "side of the centred square taken of each file",
      wholeFrom(1, "--crop", most.crop),
    )
    .addOption(new Option("--resize <filter>", "how files are resized").choices(filterNames))
    .option("-o, --out <file>", "where to write", "data.png")
    .action((folder: string, { n, seed, out, ...spec }: ShowOptions) => {
      requireWritableFile("data", out);
      const set = openToShow(folder, spec);
      if (n > set.count)
        throw new UsageError(
          `data: got --n ${n}, expected at most ${set.count}, the images in ${folder}; lower --n`,
        );
      requireRoom("data", n, [set.channels, set.height, set.width], "lower --n or --size");
      const images = toBatch(set, order(seed, 0, set.count).subarray(0, n));
      writeFileAtomic(out, grid(images, { n, c: set.channels, h: set.height, w: set.width }));
      console.log(`${out}: ${n} of ${set.count} images ${set.channels}x${set.height}x${set.width}`);
    });
}

function openToShow(folder: string, spec: Omit<ShowOptions, "n" | "seed" | "out">): ImageSet {
  if (folder === "digits") return openImageSet({ name: "digits", ...spec });
  const name = kindOf(folder);
  // Streamed: of a large folder only the images shown are decoded.
  return openImageSet({ name, path: folder, ...(name === "folder" && { stream: true }), ...spec });
}

function print({ path, kind, files, images, sizes, faults }: CheckReport): void {
  for (const { file, count, official } of files) {
    const sum = official === undefined ? "" : official ? ", the official file" : ", not the official file";
    console.log(`${file}  ${count.toLocaleString("en")}${sum}`);
  }
  for (const [size, count] of sizes.slice(0, 5)) console.log(`${counted(count, "image")} of ${size}`);
  if (sizes.length > 5) console.log(`and ${counted(sizes.length - 5, "other size")}`);
  for (const { file } of faults.slice(0, 10)) console.log(`bad: ${file}`);
  const what = { mnist: "MNIST", cifar10: "CIFAR-10", folder: "a folder of images" }[kind];
  console.log(
    `${path}: ${what}, ${counted(images, "image")}, ${faults.length === 0 ? "no faults" : counted(faults.length, "fault")}`,
  );
}

const kibibytes = (bytes: number) => Math.ceil(bytes / 1024);
