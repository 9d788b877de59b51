/** Weights from official PyTorch checkpoints, as scripts/export_pytorch.py writes them, and back. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseConfig, writeConfig } from "../../cli/config.ts";
import { openNetwork } from "../../cli/network.ts";
import { readSafetensors, type WritableEntry, writeSafetensors } from "../../engine/safetensors.ts";
import { fromPyTorch } from "../../models/convert.ts";
import { countParameters } from "../../models/module.ts";
import { readCheckpoint } from "../../train/checkpoint.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, stein, steinHere, tiny } from "./stein.ts";

type Values = Map<string, WritableEntry>;

const config = tiny();
const open = (text: string) => openNetwork(engine, parseConfig(text, "test"), { channels: 1, height: 8 });
const network = open(config);
const official = (await network.state()) as Values;
const trainable = [...network.parameters().keys()];
afterAll(() => {
  network.dispose();
  removeFolders();
});

/** The average of the i-th trainable parameter, told apart by its value. */
const averageOf = (i: number): WritableEntry => {
  const { shape, data } = official.get(trainable[i]!)!;
  return { shape, data: new Float32Array(data.length).fill(i + 0.5) };
};

/** The network with the averages in place of the weights; the buffers stay. */
const averaged: Values = new Map([...official, ...trainable.map((name, i) => [name, averageOf(i)] as const)]);

const averages = {
  none: () => new Map() as Values,
  /** NCSNv2. */
  named: () => new Map(trainable.map((name, i) => [`ema.${name}`, averageOf(i)])),
  /** score_sde_pytorch. */
  numbered: () => new Map(trainable.map((_, i) => [`ema.${i}`, averageOf(i)])),
};

/** An export. PyTorch's writer of safetensors sorts by name, so that ema.10 comes before ema.2. */
function exported(ema: keyof typeof averages, change = (_: Values) => {}, prefix = "module."): Values {
  const wrapped = [...official].map(([name, value]) => [prefix + name, value] as const);
  const tensors = new Map([...wrapped, ...averages[ema]()]);
  change(tensors);
  return new Map([...tensors].sort(([a], [b]) => (a < b ? -1 : 1)));
}

const file = (tensors: Values) => writeSafetensors(tensors, { format: "pt" });
const plain = (values: ReadonlyMap<string, WritableEntry>) =>
  [...values].map(([name, { shape, data }]) => [name, shape, [...data]]);
const expectedAverages = () => plain(new Map(trainable.map((name, i) => [name, averageOf(i)])));

describe("an export of score_sde_pytorch", () => {
  const cwd = newFolder({ "run.yaml": config, "sde.safetensors": file(exported("numbered")) });
  const convert = (...args: string[]) =>
    stein(["convert", "sde.safetensors", "--config", "run.yaml", ...args], { cwd });
  const read = (name: string) => readCheckpoint(readFileSync(join(cwd, name)), name);
  const summary = `ncsn-small, ${official.size} tensors, ${countParameters(network).toLocaleString("en")} parameters`;

  test("becomes a checkpoint with the averages under their parameters' names, and is sampled", async () => {
    const { code, stdout, complaints } = await convert("-o", "both.safetensors");
    expect(complaints).toEqual([]);
    expect(stdout).toBe(
      `wrote both.safetensors: ${summary}, the newest weights and their running averages; ` +
        "draw images with: stein sample both.safetensors\n",
    );
    expect(code).toBe(0);
    const checkpoint = read("both.safetensors");
    expect(plain(checkpoint.network)).toEqual(plain(official));
    expect(plain(checkpoint.ema)).toEqual(expectedAverages());
    expect(checkpoint.image).toEqual([1, 8, 8]);
    expect(checkpoint.config).toBe(writeConfig(parseConfig(config, "test")));

    const sampled = await stein(["sample", "both.safetensors", "--raw"], { cwd });
    expect(sampled.stdout).toBe("wrote samples.png\n");
    expect(sampled.code).toBe(0);
  });

  test("with --ema has the averages in place of the weights, and the buffers as they were", async () => {
    const { stdout } = await convert("--ema", "-o", "ema.safetensors");
    expect(stdout).toContain(`${summary}, the running averages;`);
    const checkpoint = read("ema.safetensors");
    expect(checkpoint.ema.size).toBe(0);
    expect(plain(checkpoint.network)).toEqual(plain(averaged));
    expect([...official.keys()].filter((name) => !trainable.includes(name))).toEqual(["sigmas"]);
  });

  test("with --raw has the weights alone", async () => {
    const { stdout } = await convert("--raw", "-o", "raw.safetensors");
    expect(stdout).toContain(`${summary}, the newest weights;`);
    expect(read("raw.safetensors").ema.size).toBe(0);
    expect(plain(read("raw.safetensors").network)).toEqual(plain(official));
  });
});

describe("a checkpoint goes back to PyTorch", () => {
  const cwd = newFolder({ "run.yaml": config, "sde.safetensors": file(exported("numbered")) });

  test("with the averages or, told so, the weights, under the plain names", async () => {
    await stein(["convert", "sde.safetensors", "--config", "run.yaml", "-o", "checkpoint.safetensors"], {
      cwd,
    });
    const back = async (...args: string[]) => {
      const { code, stdout, complaints } = await stein(
        ["convert", "checkpoint.safetensors", "--to-pytorch", ...args, "-o", "pytorch.safetensors"],
        { cwd },
      );
      expect(complaints).toEqual([]);
      expect(code).toBe(0);
      return { stdout, values: readSafetensors(readFileSync(join(cwd, "pytorch.safetensors"))).tensors };
    };
    const usual = await back();
    const numbers = [...official.values()].reduce((total, { data }) => total + data.length, 0);
    expect(usual.stdout).toBe(
      `wrote pytorch.safetensors: ${official.size} tensors, ${numbers.toLocaleString("en")} numbers, the running averages; ` +
        'load with: load_state_dict(safetensors.torch.load_file("pytorch.safetensors"))\n',
    );
    expect(plain(usual.values)).toEqual(plain(averaged));

    const raw = await back("--raw");
    expect(raw.stdout).toContain("the newest weights");
    expect(plain(raw.values)).toEqual(plain(official));
    const again = fromPyTorch(raw.values, network, "pytorch.safetensors");
    expect(plain(again.network)).toEqual(plain(official));
  });
});

describe("the formats", () => {
  test.each([
    ["NCSN: names of DataParallel, no averages", exported("none"), 0],
    ["a bare state_dict", exported("none", undefined, ""), 0],
    ["NCSNv2: averages by name", exported("named"), trainable.length],
    ["score_sde_pytorch: averages by place", exported("numbered"), trainable.length],
  ] as const)("%s", (_, tensors, ema) => {
    const values = fromPyTorch(tensors, network, "x.safetensors");
    expect(plain(values.network)).toEqual(plain(official));
    expect(plain(values.ema)).toEqual(ema === 0 ? [] : expectedAverages());
  });

  test("places count in the order in which the published NCSN registers its parameters", async () => {
    const ncsn = open(tiny({ model: { name: "ncsn", ngf: 4, channels: undefined } }));
    const state = await ncsn.state();
    const names = [...ncsn.parameters().keys()];
    const numbered = names.map((name, i) => {
      const { shape, data } = state.get(name)!;
      return [`ema.${i}`, { shape, data: new Float32Array(data.length).fill(i) }] as const;
    });
    const { ema } = fromPyTorch(new Map([...state, ...numbered]), ncsn, "x.safetensors");
    expect(ema.size).toBe(173);
    const places = {
      "begin_conv.weight": 0,
      "normalizer.embed.weight": 2,
      "end_conv.bias": 4,
      "res1.0.conv1.weight": 5,
      "res1.1.conv1.weight": 11,
    };
    for (const [name, place] of Object.entries(places)) expect(ema.get(name)!.data[0], name).toBe(place);
    ncsn.dispose();
  });
});

describe("what does not fit", () => {
  const convert = (tensors: Values) => () => fromPyTorch(tensors, network, "x.safetensors");
  const retype = (values: Values, from: string, to: string) => {
    values.set(to, values.get(from)!);
    values.delete(from);
  };

  test("in the network is listed whole, a line each, with the nearest name", () => {
    const tensors = exported("none", (values) => {
      values.set("module.begin_conv.weight", { shape: [8, 3, 3, 3], data: new Float32Array(216) });
      retype(values, "module.end_conv.bias", "module.end_conv.bais");
      values.delete("module.sigmas");
      values.set("module.logits", { shape: [2], data: new Float32Array(2) });
    });
    expect(convert(tensors)).toThrowErrorMatchingInlineSnapshot(`
      [UsageError: convert: x.safetensors is of another network than the configuration describes; compare model, data and sigmas:
        begin_conv.weight: got [8,3,3,3], expected [8,1,3,3]
        missing end_conv.bias [1]
        missing sigmas [3,1]
        unexpected end_conv.bais (did you mean end_conv.bias?)
        unexpected logits]
    `);
  });

  test("among averages by place is too few of them, too many, and another shape", () => {
    const last = trainable.length - 1;
    const few = exported("numbered", (values) => values.delete(`ema.${last}`));
    expect(convert(few)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: convert: x.safetensors is of another network than the configuration describes; compare model, data and sigmas: ema: missing end_conv.bias [1]]`,
    );
    const many = exported("numbered", (values) => values.set(`ema.${last + 1}`, averageOf(0)));
    expect(convert(many)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: convert: x.safetensors is of another network than the configuration describes; compare model, data and sigmas: ema: unexpected 49]`,
    );
    const swapped = exported("numbered", (values) => {
      values.set("ema.0", averageOf(1));
      values.set("ema.1", averageOf(0));
    });
    expect(convert(swapped)).toThrowErrorMatchingInlineSnapshot(`
      [UsageError: convert: x.safetensors is of another network than the configuration describes; compare model, data and sigmas:
        ema: begin_conv.weight: got [8], expected [8,1,3,3]
        ema: begin_conv.bias: got [8,1,3,3], expected [8]]
    `);
  });

  test("among averages by name is a misspelt one", () => {
    const tensors = exported("named", (values) => retype(values, "ema.end_conv.bias", "ema.end_conv.bais"));
    expect(convert(tensors)).toThrowErrorMatchingInlineSnapshot(`
      [UsageError: convert: x.safetensors is of another network than the configuration describes; compare model, data and sigmas:
        ema: missing end_conv.bias [1]
        ema: unexpected end_conv.bais (did you mean end_conv.bias?)]
    `);
  });

  test("is what is not finite", () => {
    const broken = (name: string, ema: keyof typeof averages) =>
      exported(ema, (values) => {
        const { shape, data } = values.get(name)!;
        values.set(name, { shape, data: data.map((v, i) => (i === 0 ? Number.NaN : v)) });
      });
    expect(convert(broken("module.end_conv.bias", "none"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: convert: x.safetensors: end_conv.bias holds values that are not finite; the run diverged or the file is damaged]`,
    );
    expect(convert(broken("ema.0", "numbered"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: convert: x.safetensors: ema: begin_conv.weight holds values that are not finite; the run diverged or the file is damaged]`,
    );
  });

  test("ends the command with exit code 2, one fault a line, and no file", async () => {
    const tensors = exported("none", (values) => {
      values.delete("module.end_conv.bias");
      values.set("module.end_conv.bais", { shape: [1], data: new Float32Array(1) });
    });
    const cwd = newFolder({ "run.yaml": config, "x.safetensors": file(tensors) });
    const { code, stdout, complaints } = await stein(
      ["convert", "x.safetensors", "--config", "run.yaml", "-o", "out.safetensors"],
      { cwd },
    );
    expect(complaints).toEqual([
      "stein: convert: x.safetensors is of another network than the configuration describes; compare model, data and sigmas:",
      "  missing end_conv.bias [1]",
      "  unexpected end_conv.bais (did you mean end_conv.bias?)",
    ]);
    expect(stdout).toBe("");
    expect(code).toBe(2);
    expect(() => readFileSync(join(cwd, "out.safetensors"))).toThrow(/ENOENT/);
  });
});

describe("bad requests end in one line and exit code 2", () => {
  const whole = file(exported("none"));
  const checkpoint = writeSafetensors(new Map([["w", { shape: [1], data: new Float32Array(1) }]]), {
    format: "stein-checkpoint-1",
    step: "0",
    emaUpdates: "0",
    image: "[1,8,8]",
    config,
  });
  const cwd = newFolder({
    "run.yaml": config,
    "whole.safetensors": whole,
    "cut.safetensors": whole.subarray(0, -5),
    "zip.pth": "PK\u0003\u0004 as torch.save writes",
    "ours.safetensors": checkpoint,
  });
  const last = [...exported("none").keys()].at(-1)!;
  const end = [...official.values()].reduce((total, { data }) => total + 4 * data.length, 0);

  test.each([
    [
      "whole.safetensors -o x",
      "convert: got no --config, expected the configuration of the network, such as configs/ncsn/cifar10.yaml",
    ],
    [
      "whole.safetensors --config run.yaml",
      "required option '-o, --out <file>' not specified; see stein convert --help",
    ],
    [
      "whole.safetensors --config run.yaml --ema --raw -o x",
      "option '--ema' cannot be used with option '--raw'; see stein convert --help",
    ],
    [
      "whole.safetensors --config run.yaml -o ./whole.safetensors",
      "convert: got --out ./whole.safetensors, which is what it reads; give another --out",
    ],
    [
      "nowhere.safetensors --config run.yaml -o x",
      "convert: cannot read nowhere.safetensors (ENOENT); give the file that scripts/export_pytorch.py wrote",
    ],
    [
      "cut.safetensors --config run.yaml -o x",
      `convert: cut.safetensors cannot be read: readSafetensors: ${last} ends at byte ${end} of the data, the file holds ${end - 5}; it was cut short, copy it again`,
    ],
    [
      "zip.pth --config run.yaml -o x",
      "convert: zip.pth is a file of PyTorch's; export it first: python scripts/export_pytorch.py zip.pth OUT.safetensors",
    ],
    [
      "ours.safetensors --config run.yaml -o x",
      "convert: ours.safetensors is a checkpoint of stein's already; add --to-pytorch to write it for PyTorch",
    ],
    [
      "ours.safetensors --to-pytorch --config run.yaml -o x",
      "convert: got --config run.yaml with --to-pytorch, expected none: a checkpoint holds its own",
    ],
    [
      "ours.safetensors --to-pytorch --ema -o x",
      "convert: ours.safetensors holds no running averages; leave --ema out for its weights",
    ],
    [
      "whole.safetensors --to-pytorch -o x",
      "checkpoint: whole.safetensors is a safetensors file but no checkpoint of stein's (format pt, expected stein-checkpoint-1); give a run's checkpoint",
    ],
  ])("stein convert %s", (args, says) => holdTo(steinHere, args, says));

  test("stein convert whole.safetensors --config run.yaml --ema -o x, once the network is there", () =>
    holdTo(
      stein,
      "whole.safetensors --config run.yaml --ema -o x",
      "convert: whole.safetensors holds no running averages; leave --ema out for its weights",
    ));

  async function holdTo(run: typeof steinHere, args: string, says: string): Promise<void> {
    const { code, stdout, complaints } = await run(["convert", ...args.split(" ")], { cwd });
    expect(complaints).toEqual([`stein: ${says}`]);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  }
});
