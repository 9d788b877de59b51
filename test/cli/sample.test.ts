/** What `stein sample` draws: the same images however the work is shared, batched, stopped and taken up again. */
import type { ChildProcess } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Config, parseConfig } from "../../cli/config.ts";
import type { Stop } from "../../cli/interrupt.ts";
import { openNetwork } from "../../cli/network.ts";
import { openCheckpoint } from "../../cli/run.ts";
import { drawSamples, type SampleRequest } from "../../cli/sampler.ts";
import { applyOptions, type DrawOptions } from "../../cli/sampling/options.ts";
import { type Drawing, openDrawing, saveDrawing } from "../../cli/sampling/state.ts";
import { scale } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import { writeSafetensors } from "../../engine/safetensors.ts";
import { packValues } from "../../train/checkpoint.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, stein, steinHere, tiny, tinyOnSde } from "./stein.ts";

afterAll(removeFolders);

const folder = newFolder();
const size = { c: 1, h: 8, w: 8 };

/** A checkpoint of a network that says something: no training is needed for that. */
async function write(name: string, yaml: string): Promise<void> {
  const config = parseConfig(yaml, name);
  const network = openNetwork(engine, config, { channels: 1, height: 8 });
  for (const t of network.parameters().values())
    engine.scope(() => engine.copy(scale(randn(engine, t.shape, { seed: 5, purpose: "init" }), 0.1), t));
  const named = [...network.named()];
  const values = await engine.readAll(named.map(([, t]) => t));
  const state = new Map(
    named.map(([key, t], i) => [key, { shape: t.shape, data: values[i] as Float32Array<ArrayBuffer> }]),
  );
  writeFileSync(
    join(folder, name),
    packValues({ network: state, ema: new Map(), image: [1, 8, 8], config: yaml }),
  );
  network.dispose();
}

/** Little noise, so that most pixels of whatever comes out are neither black nor white. */
const narrow = { sde: { sigmaMin: 0.1, sigmaMax: 1, numScales: 8 }, data: { centered: true } };

beforeAll(async () => {
  await write("ladder.safetensors", tiny({ sampling: { count: 6, stepsPerLevel: 3, epsilon: 0.008 } }));
  await write(
    "sde.safetensors",
    tinyOnSde({ ...narrow, sampling: { count: 6, corrector: "langevin", snr: 0.02 } }),
  );
  await write(
    "chain.safetensors",
    tinyOnSde({
      sde: { name: "vp", sigmaMax: undefined, betaMax: 5, continuous: false },
      data: { centered: true },
      sampling: { snr: 0.02 },
    }),
  );
});

const configured = (file: string, options: DrawOptions = {}): Config => {
  const config = parseConfig(openCheckpoint(join(folder, file)).config, file);
  applyOptions("sample", config, options);
  return config;
};

/** Draws in this process, as the command does. */
async function draw(file: string, options: DrawOptions = {}, request: Partial<SampleRequest> = {}) {
  const config = configured(file, options);
  const network = openNetwork(engine, config, { channels: 1, height: 8 });
  try {
    network.load(openCheckpoint(join(folder, file)).network);
    return await drawSamples(engine, network, config, {
      size,
      animate: options.animate ?? false,
      ...request,
    });
  } finally {
    network.dispose();
  }
}

const npyOf = (out: string) => unzipSync(readFileSync(join(folder, out, "samples.npz")))["samples.npy"]!;
const valuesOf = (out: string) => new Float32Array(npyOf(out).slice(128).buffer); // behind the header

const methods: readonly [string, string, DrawOptions][] = [
  ["annealed", "ladder.safetensors", {}],
  ["consistent", "ladder.safetensors", { method: "consistent" }],
  ["pc with the Langevin corrector", "sde.safetensors", {}],
  ["pc with two corrector steps", "sde.safetensors", { correctorSteps: 2 }],
  ["ode", "sde.safetensors", { method: "ode" }],
  ["heun", "sde.safetensors", { method: "heun", steps: 5 }],
  ["euler", "sde.safetensors", { method: "euler", steps: 5, temperature: 0.9 }],
  ["ddim", "sde.safetensors", { method: "ddim", steps: 5, eta: 0.5 }],
  ["edm", "sde.safetensors", { method: "edm", steps: 5, churn: 1 }],
  ["pc of the steps of a chain", "chain.safetensors", { corrector: "langevin" }],
  ["ddim in some of the steps of a chain", "chain.safetensors", { method: "ddim", steps: 7, eta: 1 }],
];

test.each([
  [{}, 2],
  [{ correctorSteps: 2 }, 3],
  [{ corrector: "none" as const }, 1],
])("pc with %j evaluates the score %i times a step", async (options, times) => {
  expect((await draw("sde.safetensors", { ...options, n: 1 })).nfe).toBe(8 * times);
});

describe.each(methods)("%s", (name, file, options) => {
  /** Its steps are a batch's own. */
  const adaptive = name === "ode";

  if (!adaptive)
    test("the same images whatever the batch, and none alike", async () => {
      const { samples } = await draw(file, { ...options, n: 5, batch: 5 });
      expect(samples).toHaveLength(5 * 64);
      expect(new Set(samples).size).toBeGreaterThan(30);
      expect((await draw(file, { ...options, n: 5, batch: 2 })).samples).toEqual(samples);
      const part = await draw(file, { ...options, n: 1, batch: 1 }, { offset: 4 });
      expect(part.samples).toEqual(samples.subarray(-64));
    });

  test("stopped in the second batch, it goes on to the same images and frames", async () => {
    const animated = { ...options, n: 2, batch: 1, animate: !adaptive };
    const path = join(folder, `${name}.state.safetensors`);
    let [steps, last] = [0, Infinity];
    const stop: Stop = {
      get asked() {
        return ++steps === last ? ("SIGINT" as const) : undefined;
      },
      end() {},
    };
    const keeping = {
      every: 1000,
      resume: "more",
      save: (drawing: Drawing) => saveDrawing(path, { drawing, identity: {}, options: {} }, [1, 8, 8]),
    };
    const whole = await draw(file, animated, { stop, keeping });
    expect(whole.frames).toHaveLength(whole.denoised?.length ?? 0);
    [steps, last] = [0, Math.ceil(0.7 * steps)];
    await expect(draw(file, animated, { stop, keeping })).rejects.toThrow(
      /^stopped after \d+ of \d+ (steps|%); go on with: more$/,
    );
    const before = openDrawing(path)!.drawing;
    expect(before.finished).toBe(1);
    expect(before.batch!.point.done).toBeGreaterThan(0);
    const { live } = engine.memory();
    [steps, last] = [0, 1];
    await expect(draw(file, animated, { before, stop })).rejects.toThrow(/^stopped after /);
    expect(engine.memory().live).toBe(live);
    expect(await draw(file, animated, { before })).toEqual(whole);
  });
});

test("stopped where nothing is kept, it says how far it came", async () => {
  let left = 4;
  const stop: Stop = {
    get asked() {
      return --left === 0 ? ("SIGTERM" as const) : undefined;
    },
    end() {},
  };
  const live = engine.memory().live;
  await expect(draw("ladder.safetensors", { n: 2 }, { stop })).rejects.toThrow(
    /^stopped after 4 of 9 steps$/,
  );
  expect(engine.memory().live).toBe(live);
});

test("DDIM on a chain that leaves nothing of the image at its end is refused at once, others draw on it", async () => {
  await write(
    "nothing-left.safetensors",
    tinyOnSde({
      sde: { name: "vp", sigmaMax: undefined, betaMax: 20, continuous: false },
      data: { centered: true },
      sampling: { count: 2, snr: 0.02 },
    }),
  );
  const { code, complaints, announced } = await stein(
    ["sample", "nothing-left.safetensors", "--method", "ddim"],
    { cwd: folder },
  );
  expect(complaints).toEqual([
    "stein: ddim: got an SDE with alpha 0 at time 1, expected some of the image left, for it is divided by alpha; " +
      "draw by another method, such as pc, or train on an SDE with a lower betaMax",
  ]);
  expect(announced).toEqual([]); // before any device was opened
  expect(code).toBe(2);
  const { samples } = await draw("nothing-left.safetensors");
  expect(samples.every(Number.isFinite)).toBe(true);
});

test.each([
  ["annealed", "ladder.safetensors", {}, []],
  ["predictor and corrector", "sde.safetensors", {}, []],
  [
    "fixed steps of the ODE",
    "sde.safetensors",
    { method: "heun", steps: 5 },
    ["--method", "heun", "--steps", "5"],
  ],
] as const)("two processes draw by ranges what one draws: %s", async (name, file, options, args) => {
  const part = async (range: string) => {
    const out = `${name} ${range}`;
    const { code, complaints } = await stein(
      ["sample", file, ...args, "--seed", "3", "--range", range, "--npz", "--out", out],
      { cwd: folder },
    );
    expect(code, complaints.join("\n")).toBe(0);
    return valuesOf(out);
  };
  const [[first, second], { samples }] = [
    await Promise.all([part("0:3"), part("3:6")]),
    await draw(file, { ...options, seed: 3, range: [0, 6] }),
  ];
  expect(Float32Array.of(...first!, ...second!)).toEqual(samples);
});

describe("stein sample --resume", () => {
  const args = ["sample", "ladder.safetensors", "--steps", "100", "--n", "5", "--batch", "3", "--npz"];
  const state = join(folder, "cut", "sampling.state.safetensors");
  const changed = () => statSync(state, { throwIfNoEntry: false })?.mtimeMs;
  /** Ends the process with a signal once it has written its state. */
  const endedBy = (signal: "SIGINT" | "SIGKILL") => (child: ChildProcess) => {
    const before = changed();
    const timer = setInterval(() => {
      const now = changed();
      if (now === undefined || now === before) return;
      clearInterval(timer);
      child.kill(signal);
    }, 3);
    child.on("exit", () => clearInterval(timer));
  };
  const soon = ["--save-every", "0.02"];

  test("after SIGKILL and after SIGINT: the images of a run that never stopped", async () => {
    const whole = await draw("ladder.safetensors", { steps: 100, n: 5 });
    const killed = await stein([...args, "--out", "cut", ...soon], {
      cwd: folder,
      onStart: endedBy("SIGKILL"),
    });
    expect(killed.code).toBe(null);
    expect(existsSync(join(folder, "cut", "samples.png"))).toBe(false);

    const refused = await steinHere([...args, "--out", "cut"], { cwd: folder });
    expect(refused.complaints).toEqual([
      "stein: sample: cut/sampling.state.safetensors holds a drawing that was stopped; pass --resume to go on, or remove that file to begin anew",
    ]);

    const stopped = await stein(["sample", "ladder.safetensors", "--out", "cut", "--resume", ...soon], {
      cwd: folder,
      onStart: endedBy("SIGINT"),
    });
    expect(stopped.stdout).toMatch(
      /^cut: going on with \d of 5 images drawn, after \d+ steps of the next ones\n$/,
    );
    expect(stopped.complaints.at(-1)).toMatch(
      /^stein: stopped after \d+ of 600 steps; go on with: stein sample ladder.safetensors --out cut --resume$/,
    );
    expect(stopped.code).toBe(130);

    for (const [option, says] of [
      [["--seed", "4"], "got seed 4, but cut/sampling.state.safetensors was begun with 0"],
      [["--n", "6"], "got count 6, but cut/sampling.state.safetensors was begun with 5"],
      [["--range", "1:6"], "got first 1, but cut/sampling.state.safetensors was begun with 0"],
    ] as const) {
      const other = await steinHere(["sample", "ladder.safetensors", "--out", "cut", "--resume", ...option], {
        cwd: folder,
      });
      expect(other.complaints).toEqual([
        `stein: sample: ${says}; set it back, or remove that file to begin anew`,
      ]);
      expect(other.code).toBe(2);
    }

    const ended = await stein(["sample", "ladder.safetensors", "--out", "cut", "--resume"], { cwd: folder });
    expect(ended.stdout).toMatch(/\nwrote cut\/samples.png and cut\/samples.npz\n$/);
    expect(valuesOf("cut")).toEqual(whole.samples);
    expect(existsSync(state)).toBe(false);
  });

  test.each([
    ["no", "readSafetensors: .*"],
    [
      writeSafetensors(new Map(), {
        format: "stein-sampling-1",
        place: "{}",
        identity: "null",
        options: "{}",
      }),
      "its metadata is damaged",
    ],
  ])("of a file that is no state of it is refused: %#", async (state, why) => {
    const cwd = newFolder({ "sampling.state.safetensors": state });
    const { complaints, code } = await steinHere(
      ["sample", join(folder, "ladder.safetensors"), "--out", ".", "--resume"],
      { cwd },
    );
    expect(complaints).toEqual([
      expect.stringMatching(
        `^stein: sample: sampling.state.safetensors cannot be gone on from: ${why}; remove it to begin anew$`,
      ),
    ]);
    expect(code).toBe(2);
  });
});
