/** The configurations that come with the package: the published networks at full size, of which nothing is computed. */
import { describe, expect, test } from "vitest";
import { readConfig } from "../../cli/config.ts";
import { describeModel } from "../../cli/describe.ts";
import { configNames, modelsTable, readPage } from "../../scripts/models-table.ts";
import { engine } from "../support/engine.ts";

const path = (name: string): string => new URL(`../../configs/${name}.yaml`, import.meta.url).pathname;

/** Parameters of the networks that the official code builds. */
const counts: Readonly<Record<string, number>> = {
  demo: 140_593, // ours
  "digits/ve": 181_377, // ours
  "digits/ladder": 140_593,
  "digits/one-scale": 131_737,

  "ncsn/mnist": 7_638_657,
  "ncsn/celeba": 30_117_635,
  "ncsn/cifar10": 30_117_635,

  "ncsnv2/ncsn_original": 30_117_635,
  "ncsnv2/cifar10": 29_694_083,
  "ncsnv2/celeba": 29_694_083,
  "ncsnv2/church": 83_445_379,
  "ncsnv2/bedroom": 83_445_379,
  "ncsnv2/tower": 83_445_379,
  "ncsnv2/ffhq": 94_132_611,

  "ve/ncsn/cifar10": 30_117_635,
  "ve/ncsn/cifar10_5": 30_117_635,
  "ve/ncsn/cifar10_124": 39_750_659, // 222 noise scales more in every norm
  "ve/ncsn/cifar10_1245": 39_750_659,
  "ve/ncsn/celeba": 30_117_635,
  "ve/ncsn/celeba_5": 30_117_635,
  "ve/ncsn/celeba_124": 51_379_715,
  "ve/ncsn/celeba_1245": 51_379_715,
  "ve/ncsnv2/cifar10": 29_694_083,
  "ve/ncsnv2/celeba": 29_694_083,
  "ve/ncsnv2/bedroom": 83_445_379,

  "ve/cifar10_ddpm": 35_218_947,
  "ve/cifar10_ncsnpp": 62_693_251,
  "ve/cifar10_ncsnpp_continuous": 62_758_787, // Fourier features are twice as wide
  "ve/cifar10_ncsnpp_deep_continuous": 107_586_947,
  "ve/celeba_ncsnpp": 62_693_251,
  "ve/bedroom_ncsnpp_continuous": 65_574_421,
  "ve/church_ncsnpp_continuous": 65_574_421,
  "ve/celebahq_256_ncsnpp_continuous": 65_574_421,
  "ve/ffhq_256_ncsnpp_continuous": 65_574_421,
  "ve/celebahq_ncsnpp_continuous": 105_785_880,
  "ve/ffhq_ncsnpp_continuous": 105_785_880,

  "vp/ddpm/cifar10": 35_218_947,
  "vp/ddpm/cifar10_continuous": 35_218_947,
  "vp/ddpm/bedroom": 111_569_923,
  "vp/ddpm/celebahq": 111_569_923,
  "vp/ddpm/church": 111_569_923,
  "vp/cifar10_ddpmpp": 61_804_419,
  "vp/cifar10_ddpmpp_continuous": 61_804_419,
  "vp/cifar10_ddpmpp_deep_continuous": 106_632_579,
  "vp/cifar10_ncsnpp": 62_693_251,
  "vp/cifar10_ncsnpp_continuous": 62_693_251,
  "vp/cifar10_ncsnpp_deep_continuous": 107_521_411,

  "subvp/cifar10_ddpm_continuous": 35_218_947,
  "subvp/cifar10_ddpmpp_continuous": 61_804_419,
  "subvp/cifar10_ddpmpp_deep_continuous": 106_632_579,
  "subvp/cifar10_ncsnpp_continuous": 62_693_251,
  "subvp/cifar10_ncsnpp_deep_continuous": 107_521_411,
};

test("every configuration has its count", () => {
  expect(configNames.map((name) => name.replace(/\.yaml$/, ""))).toEqual(Object.keys(counts).sort());
});

describe("networks", () => {
  test.each(Object.entries(counts))("%s has %i parameters", (name, count) => {
    const before = engine.memory();
    const config = readConfig(path(name));
    const { parameters, batch, layers, predicts } = describeModel(engine, config, 1);
    expect(parameters).toBe(count);
    expect(layers.output).toEqual(batch); // what it predicts has the images' shape
    expect(predicts).toBe(config.sde && config.sde.name !== "ve" ? "eps" : "score");
    expect(engine.memory()).toEqual(before);
  });

  /** Query, key, value and output as c x c matrices with a bias, and a norm. */
  const attention = (c: number) => 4 * (c * c + c) + 2 * c;

  test("DDPM has the 35.7 and 114 million parameters of its paper, but for two blocks of attention that score_sde leaves out", () => {
    expect(counts["vp/ddpm/cifar10"]! + 2 * attention(256)).toBe(35_746_307);
    expect(counts["vp/ddpm/bedroom"]! + 2 * attention(512)).toBe(113_673_219);
  });
});

describe("settings", () => {
  const settings = (name: string) => readConfig(path(name));

  test("NCSNv2's ladders and steps are the paper's", () => {
    const ladder = (name: string) => {
      const { sigmas, sampling } = settings(`ncsnv2/${name}`);
      return [
        sigmas?.begin,
        sigmas?.end,
        sigmas?.count,
        "epsilon" in sampling && sampling.epsilon,
        sampling.stepsPerLevel,
      ];
    };
    expect(ladder("cifar10")).toEqual([50, 0.01, 232, 6.2e-6, 5]);
    expect(ladder("celeba")).toEqual([90, 0.01, 500, 3.3e-6, 5]);
    expect(ladder("church")).toEqual([140, 0.01, 788, 4.9e-6, 4]);
    expect(ladder("bedroom")).toEqual([190, 0.01, 1086, 1.8e-6, 3]);
    expect(ladder("tower")).toEqual([190, 0.01, 1086, 1.8e-6, 3]);
    expect(ladder("ffhq")).toEqual([348, 0.01, 2311, 9e-7, 3]);
  });

  test.each(configNames.filter((name) => /^(ve|vp|subvp)\//.test(name)))("%s fits its folder", (name) => {
    const { sde, data, training } = settings(name.replace(/\.yaml$/, ""));
    expect(sde!.name).toBe(name.split("/")[0]);
    expect(sde!.continuous).toBe(name.includes("continuous"));
    expect(data.centered).toBe(sde!.name !== "ve"); // the VP networks see [-1, 1]
    expect("reduceMean" in training && training.reduceMean).toBe(
      sde!.name !== "ve" || name.startsWith("ve/ffhq_ncsnpp"),
    );
  });
});

test("docs/models.md holds the table as it comes out of the configurations; npx tsx scripts/models-table.ts writes it", () => {
  expect(readPage().table).toBe(modelsTable(engine));
});
