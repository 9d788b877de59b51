/** The commands that open a device, from doctor to demo. */
import { copyFileSync, existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSafetensors, writeSafetensors } from "../../engine/safetensors.ts";
import { clone, newFolder, type Outcome, removeFolders, stein, tiny } from "./stein.ts";

afterAll(removeFolders);

/** stein doctor --json */
interface Doctor {
  node: string;
  platform: string;
  driver: { software: boolean; source: string; description: string; notice?: string };
  features: string[];
  limits: Record<string, number>;
  roofline: { gigabytesPerSecond: number; gigaflops: number; dispatchMicroseconds: number };
}

let doctor: Doctor;
let demo: Outcome;
const folder = newFolder({ "tiny.yaml": tiny() });

beforeAll(async () => {
  const { code, stdout, complaints } = await stein(["doctor", "--json"]);
  expect(complaints).toEqual([]);
  expect(code).toBe(0);
  doctor = JSON.parse(stdout) as Doctor;
  demo = await stein(["demo", "--config", "tiny.yaml", "--out", "run"], { cwd: folder });
});

/** What stands on stderr of a command that opened the device: the announcement once, and progress. */
function expectAnnounced({ announced, complaints }: Outcome): void {
  expect(announced).toEqual(doctor.driver.software ? [doctor.driver.notice] : []);
  for (const line of complaints)
    expect(line).toMatch(/^(compiling kernels|training|sampling) \d+\/\d+ \(\d+ %\)( {2}\S.*)?$/);
}

describe("doctor", () => {
  test("--json holds the driver, the limits and the measured speed", () => {
    expect(doctor.node).toBe(process.version);
    expect(doctor.platform).toBe(`${process.platform} ${process.arch}`);
    expect(doctor.driver.description).not.toBe("");
    expect(doctor.features).toContain("core-features-and-limits");
    expect(doctor.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
    const { gigabytesPerSecond, gigaflops, dispatchMicroseconds } = doctor.roofline;
    expect(gigabytesPerSecond).toBeGreaterThan(0.05);
    expect(gigabytesPerSecond).toBeLessThan(50_000);
    expect(gigaflops).toBeGreaterThan(0.1);
    expect(gigaflops).toBeLessThan(1e6);
    expect(dispatchMicroseconds).toBeGreaterThan(0.01);
  });

  test("in words, with the adapter, the copy bandwidth and the multiply-add rate", async () => {
    const outcome = await stein(["doctor"]);
    expectAnnounced(outcome);
    expect(outcome.code).toBe(0);
    const rows = new Map(
      outcome.stdout.split("\n").flatMap((line) => {
        const [, name, value] = /^(.{33}\S*) +(.*)$/.exec(line) ?? [];
        return name === undefined ? [] : [[name.trim(), value!] as const];
      }),
    );
    expect(rows.get("adapter")).toBe(doctor.driver.description);
    expect(rows.get("driver")).toBe(
      `${doctor.driver.source}${doctor.driver.software ? ", software: correct, but slow" : ""}`,
    );
    expect(rows.get("copy bandwidth")).toMatch(/^[\d.]+ GB\/s, read and written by a copy kernel$/);
    expect(rows.get("multiply-add rate")).toMatch(/^\d+ GFLOP\/s in float32$/);
    expect(rows.get("dispatch")).toMatch(/^[\d.]+ microseconds each$/);
  });
});

describe.runIf(process.platform === "linux")("without an adapter", () => {
  const env = { STEIN_DRIVER: "system", VK_ICD_FILENAMES: "/nonexistent", VK_DRIVER_FILES: undefined };
  const config = newFolder({ "tiny.yaml": tiny() });

  test.each(["doctor", "doctor --json", "train tiny.yaml", "demo --config tiny.yaml"])(
    "stein %s says what was found and what to type, and nothing else",
    async (command) => {
      const args = command.split(" ");
      const { code, stdout, complaints, announced } = await stein(args, { env, cwd: config, from: clone });
      expect(complaints[0]).toMatch(/^stein: openGpu: no GPU adapter on \S.* \(\w+\)$/);
      expect(complaints.slice(1, 2)).toEqual([
        "  found: VK_ICD_FILENAMES=/nonexistent is set and leads to no adapter; unset it or mend it",
      ]);
      if (process.arch === "x64")
        expect(complaints.slice(2)).toEqual(["  without root: export STEIN_DRIVER=embedded"]);
      expect(stdout).toBe("");
      expect(announced).toEqual([]);
      expect(code).toBe(3);
      expect(readdirSync(config).filter((name) => name === "runs")).toEqual([]); // no run was begun
    },
  );
});

describe("demo", () => {
  test("trains, samples, measures and says where to look", () => {
    expect(demo.code, demo.complaints.join("\n")).toBe(0);
    expectAnnounced(demo);
    const [network, loss, wrote, distance, score, done, ...rest] = demo.stdout.trimEnd().split("\n");
    expect(network).toMatch(
      /^ncsn-small with [\d,]+ parameters; 48 images 1x8x8 of digits \(train\); batch 4; 3 noise scales$/,
    );
    expect(loss).toMatch(
      /^loss [\d.]+, mean of the last 12 steps; [\d.]+ on held-back images; peak device memory [\d.]+ MiB$/,
    );
    expect(wrote).toBe("wrote run/samples.png and run/sampling.gif and run/denoised.png");
    expect(distance).toMatch(
      /^sliced Wasserstein distance to 4 held-back images: samples [\d.]+, noise [\d.]+, other real images [\d.]+$/,
    );
    expect(score).toMatch(/^that is -?[\d.]+ % of the way from noise to real images$/);
    expect(done).toMatch(/^all done in .* s; look at run\/samples\.png beside real images, run\/data\.png$/);
    expect(rest).toEqual([]);
  });

  test("leaves a run's folder", () => {
    expect(readdirSync(join(folder, "run")).sort()).toEqual([
      "checkpoint.safetensors",
      "checkpoints",
      "config.yaml",
      "data.png",
      "denoised.png",
      "learning-rate.svg",
      "loss.svg",
      "metrics.jsonl",
      "quality.json",
      "report.json",
      "report.md",
      "samples.png",
      "sampling.gif",
    ]);
    const lines = readFileSync(join(folder, "run", "metrics.jsonl"), "utf8")
      .trimEnd()
      .split("\n");
    expect(lines.map((line) => (JSON.parse(line) as { step: number }).step)).toEqual([...Array(12).keys()]);
  });

  test("goes over an earlier demo of the same configuration", async () => {
    const again = await stein(["demo", "--config", "tiny.yaml", "--out", "run"], { cwd: folder });
    expect(again.code, again.complaints.join("\n")).toBe(0);
    const losses = (text: string) => text.split("\n").find((line) => line.startsWith("loss "));
    expect(losses(again.stdout)).toBe(losses(demo.stdout));
  });
});

describe("sample", () => {
  const sample = async (...args: string[]) => {
    const outcome = await stein(["sample", "run", ...args], { cwd: folder });
    expect(outcome.complaints.filter((line) => line.startsWith("stein:"))).toEqual([]);
    expect(outcome.code).toBe(0);
    expectAnnounced(outcome);
    return outcome;
  };

  test("one seed gives one picture, another another; each setting changes it", async () => {
    const drawn = async (out: string, ...args: string[]) => {
      const { stdout } = await sample("--out", out, ...args);
      expect(stdout).toBe(`wrote ${out}/samples.png\n`);
      return readFileSync(join(folder, out, "samples.png")).toString("base64");
    };
    const once = await drawn("s1", "--seed", "3");
    expect(await drawn("s2", "--seed", "3")).toBe(once);
    const others = [
      await drawn("s3", "--seed", "4"),
      await drawn("s4", "--seed", "3", "--no-denoise"),
      await drawn("s5", "--seed", "3", "--raw"),
    ];
    expect(new Set([once, ...others]).size).toBe(4);
  });

  test("two processes draw by ranges what one draws", async () => {
    const drawn = async (out: string, range: string) => {
      const { code } = await sample("--out", out, "--seed", "3", "--range", range, "--npz");
      expect(code).toBe(0);
      const npy = unzipSync(readFileSync(join(folder, out, "samples.npz")))["samples.npy"]!;
      return [...new Float32Array(npy.slice(128).buffer)]; // behind the header
    };
    const [first, second] = await Promise.all([drawn("r1", "0:3"), drawn("r2", "3:4")]);
    expect([...first!, ...second!]).toEqual(await drawn("r3", "0:4"));
    expect(first!.length).toBe(3 * 64);
  });

  test("a checkpoint alone is enough, without its folder, its data or its configuration", async () => {
    const elsewhere = newFolder();
    copyFileSync(join(folder, "run", "checkpoint.safetensors"), join(elsewhere, "net.safetensors"));
    const { code, stdout } = await stein(["sample", "net.safetensors", "--animate"], { cwd: elsewhere });
    expect(stdout).toBe("wrote samples.png and sampling.gif and denoised.png\n");
    expect(code).toBe(0);
    expect(existsSync(join(elsewhere, "sampling.gif"))).toBe(true);
  });

  test("a step size that leads out of all bounds is said, and nothing is written", async () => {
    const { code, complaints } = await stein(["sample", "run", "--epsilon", "1e38", "--out", "far"], {
      cwd: folder,
    });
    expect(complaints.at(-1)).toBe(
      "stein: sample: the images are not finite with step size 1e+38; lower --epsilon (sampling.epsilon in the configuration)",
    );
    expect(code).toBe(2);
    expect(existsSync(join(folder, "far"))).toBe(false);
  });

  test("values that do not fit the network they say they are of", async () => {
    const { tensors, metadata } = readSafetensors(
      readFileSync(join(folder, "run", "checkpoint.safetensors")),
    );
    const short = new Map([...tensors].filter(([name]) => name !== "end_conv.weight"));
    const cwd = newFolder({ "net.safetensors": writeSafetensors(short, metadata) });
    const { code, complaints } = await stein(["sample", "net.safetensors"], { cwd });
    expect(complaints).toEqual([
      "stein: load: the state does not fit the network: missing end_conv.weight [1,8,3,3]",
    ]);
    expect(code).toBe(2);
  });
});

describe("a network that cannot be", () => {
  test.each([
    [
      "images no multiple of 4 for ncsn-small",
      { data: { size: 6 } },
      /^stein: ncsn-small: got images of 6 pixels, expected a multiple of 4; set data\.size$/,
    ],
    [
      "a batch beyond all memory",
      { training: { batchSize: 1e9 } },
      /training\.batchSize.*expected at most 1000000/,
    ],
  ])("%s", async (_, changes, says) => {
    const cwd = newFolder({ "run.yaml": tiny(changes) });
    const { code, stdout, complaints } = await stein(["train", "run.yaml"], { cwd });
    expect(complaints).toEqual([expect.stringMatching(says)]);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});
