import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { type ImageSet, imageSize } from "../../data/dataset.ts";
import { type ImageSetName, imageSetNames } from "../../data/index.ts";
import { Engine } from "../../engine/engine.ts";
import { nearest, UsageError } from "../../engine/errors.ts";
import { designSchedule, type Schedule } from "../../train/techniques/index.ts";
import { readConfig } from "../config.ts";
import { most } from "../limits.ts";
import { positive, wholeFrom } from "../options.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { openImages, openSet } from "../run.ts";
import { type Measured, measureAll, measureSome, pointsOf, schedulePlot, scheduleYaml } from "../schedule.ts";
import { requireWritable } from "../writable.ts";

interface ScheduleOptions {
  config?: string;
  path?: string;
  count?: number;
  size?: number;
  channels?: number;
  sigmaBegin?: number;
  dimensions?: number;
  sigmaEnd: number;
  overlap: number;
  steps?: number;
  budget?: number;
  sample?: number;
  seed: number;
  out: string;
  json?: boolean;
}

export function scheduleCommand(program: Command): void {
  program
    .command("schedule")
    .description("noise scales and sampling for a data set, by the techniques of Song & Ermon 2020")
    .argument("[data]", `${imageSetNames.join(", ")}, or a folder of images`)
    .option("--config <file>", "take the data of a configuration, as its network sees them")
    .option("--path <folder>", "of the data set's files")
    .option("--count <n>", "only so many images, the first", wholeFrom(2, "--count"))
    .option("--size <n>", "side of the square images", wholeFrom(1, "--size", most.side))
    .option("--channels <n>", "1 for grey, 3 for RGB", wholeFrom(1, "--channels"))
    .option("--sample <pairs>", "estimate from random pairs, without a GPU", wholeFrom(1, "--sample"))
    .option("--seed <n>", "of the pairs", wholeFrom(0, "--seed"), 0)
    .option(
      "--sigma-begin <sigma>",
      "largest noise scale; unless given, the largest distance",
      positive("--sigma-begin"),
    )
    .option("--dimensions <n>", "elements of an image, where no data are given", wholeFrom(1, "--dimensions"))
    .option("--sigma-end <sigma>", "smallest noise scale", positive("--sigma-end"), 0.01)
    .option("--overlap <share>", "of neighbouring scales", positive("--overlap"), 0.5)
    .option("--steps <n>", "Langevin steps at each scale; 3 to 5 unless given", wholeFrom(1, "--steps"))
    .option(
      "--budget <n>",
      "as many steps as so many evaluations for an image allow",
      wholeFrom(2, "--budget"),
    )
    .option("-o, --out <folder>", "for schedule.yaml, schedule.json and schedule.svg", "out/schedule")
    .option("--json", "print schedule.json")
    .addHelpText(
      "after",
      "\nPublished ladders, such as --sigma-begin 50 --dimensions 3072 for CIFAR-10, have --overlap 0.567.",
    )
    .action(async (data: string | undefined, options: ScheduleOptions) => {
      const request = checked(data, options);
      const images = request && openRequested(request, options);
      const dimensions = images ? imageSize(images.set) : options.dimensions!;
      const { overlap, steps, budget, sigmaBegin, sigmaEnd: end } = options;
      if (steps !== undefined && budget !== undefined)
        throw new UsageError(
          `schedule: got --steps ${steps} and --budget ${budget}, expected one of the two`,
        );
      const asked = { end, dimensions, overlap, steps };
      designSchedule({ ...asked, begin: sigmaBegin ?? 2 * end }); // complains before any work
      requireWritable("schedule", options.out);
      const measured = images && sigmaBegin === undefined ? await measure(images, options) : undefined;
      const begin = sigmaBegin ?? Number(measured!.distance.toPrecision(4));
      const schedule = designSchedule({ ...asked, budget, begin });
      write(schedule, images?.set, measured, options);
    });
}

/** What to look at: a set by name or folder, or a configuration; nothing where sigma and the size are told. */
type Requested = { readonly config: string } | { readonly name: ImageSetName; readonly path?: string };

function checked(data: string | undefined, options: ScheduleOptions): Requested | undefined {
  const { config, path, sigmaBegin, dimensions } = options;
  const refuse = (given: string, beside: string, mend = "leave it out"): never => {
    throw new UsageError(`schedule: got ${given} beside ${beside}; ${mend}`);
  };
  if (data !== undefined && config !== undefined) refuse(data, `--config ${config}`, "give one of the two");
  const told = data ?? config;
  if (told !== undefined && dimensions !== undefined)
    refuse(`--dimensions ${dimensions}`, `${told}, whose images tell`);
  if (sigmaBegin !== undefined && options.sample !== undefined)
    refuse(`--sample ${options.sample}`, `--sigma-begin ${sigmaBegin}, which needs no distance`);
  const choice = (["path", "count", "size", "channels"] as const).find((name) => options[name] !== undefined);
  if (choice && data === undefined)
    refuse(
      `--${choice} ${options[choice]}`,
      config ? `--config ${config}, whose data section tells` : "no data set",
    );
  if (config !== undefined) return { config };
  if (data === undefined) {
    if (sigmaBegin !== undefined && dimensions !== undefined) return undefined;
    throw new UsageError(
      "schedule: got no data, expected a data set, --config, or --sigma-begin and --dimensions; " +
        "try stein schedule digits",
    );
  }
  if ((imageSetNames as readonly string[]).includes(data))
    return { name: data as ImageSetName, ...(path !== undefined && { path }) };
  if (existsSync(data)) {
    if (path !== undefined) refuse(`--path ${path}`, `the folder ${data}`);
    return { name: "folder", path: data };
  }
  const meant = nearest(data, imageSetNames);
  throw new UsageError(
    `schedule: got data ${data}, expected ${imageSetNames.join(", ")} or a folder of images` +
      (meant ? `; did you mean "${meant}"?` : ""),
  );
}

interface Opened {
  readonly set: ImageSet;
  readonly centered: boolean;
}

function openRequested(request: Requested, { count, size, channels }: ScheduleOptions): Opened {
  if ("config" in request) {
    const config = readConfig(request.config);
    return { set: openImages(config).train, centered: config.data.centered ?? false };
  }
  const spec = {
    ...request,
    ...(count !== undefined && { count }),
    ...(size !== undefined && { size }),
    ...(channels !== undefined && { channels }),
  };
  return { set: openSet(spec, "lower --count"), centered: false };
}

async function measure({ set, centered }: Opened, { sample, seed }: ScheduleOptions): Promise<Measured> {
  const points = pointsOf(set, centered);
  if (sample !== undefined) return measureSome(points, sample, seed);
  const engine = await Engine.create();
  try {
    return await measureAll(engine, points);
  } finally {
    engine.destroy();
  }
}

function write(
  schedule: Schedule,
  images: ImageSet | undefined,
  measured: Measured | undefined,
  { out, overlap, json }: ScheduleOptions,
): void {
  const what = images
    ? `${images.name}, ${images.count} images ${images.channels}x${images.height}x${images.width}`
    : "images that were not looked at";
  const { begin, end, count, gamma, steps, epsilon, nfe, dimensions, varianceRatio } = schedule;
  const lines: [string, string][] = [
    ["data", `${what}, D = ${dimensions}`],
    ["largest", `sigma ${begin}${measured ? `: ${measured.how}` : ", as given"}`],
    ["ladder", `L = ${count}, gamma ${gamma.toFixed(5)} down to ${end}`],
    ["overlap", `${schedule.overlap.toFixed(4)} at each scale, asked for ${overlap}`],
    ["sampling", `T = ${steps}, epsilon ${epsilon.toExponential()}; ${nfe} evaluations for an image`],
    ["variance", `${varianceRatio.toFixed(4)} of sigma^2 after the steps at each scale; 1 were ideal`],
  ];
  const told = { data: images ? what : null, ...(measured && { measured }), ...schedule };
  const text = `${JSON.stringify(told, null, 2)}\n`;
  const files = {
    "schedule.yaml": scheduleYaml(
      schedule,
      lines.map(([name, value]) => `${name}: ${value}`),
    ),
    "schedule.json": text,
    "schedule.svg": schedulePlot(schedule),
  };
  for (const [name, content] of Object.entries(files)) writeFileAtomic(join(out, name), content);
  if (json) process.stdout.write(text);
  else {
    for (const [name, value] of lines) console.log(`${name.padEnd(10)} ${value}`);
    console.log(`\n${Object.keys(files).join(", ")} are in ${out}`);
  }
}
