/** docs/configuration.md and the tables of docs/training.md name every key there is, no other, and the defaults that hold. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { data } from "../../cli/config/data.ts";
import { models } from "../../cli/config/model.ts";
import { sdes, sigmas } from "../../cli/config/noise.ts";
import { annealedSampling, sdeSampling } from "../../cli/config/sampling.ts";
import { annealedTraining, sdeTraining } from "../../cli/config/training.ts";

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
const page = read("configuration.md");

type Rows = readonly (readonly string[])[];

/** The rows of each table by its head's first cell. */
function tables(text: string): Map<string, Rows> {
  const found = text.matchAll(/^\| (?<head>.+?) \|.*\n\| ---.*\n(?<body>(?:\|.*\n)+)/gm);
  return new Map(
    [...found].map(({ groups }) => [
      groups!.head!,
      groups!
        .body!.trim()
        .split("\n")
        .map((row) => row.slice(2, -2).split(" | ")),
    ]),
  );
}

const quoted = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
const keysOf = (rows: Rows | undefined): string[] => rows!.flatMap(([cell]) => quoted(cell!));

type Shape = Record<string, { safeParse(value: undefined): { success: boolean; data?: unknown } }>;
const shapeOf = (section: { shape: object }): Shape => section.shape as Shape;
const defaultOf = (shape: Shape, key: string): unknown => shape[key]?.safeParse(undefined).data;

const ours = tables(page);
const training = tables(read("training.md"));
const common = ["count", "batchSize", "seed", "method", "stepsPerLevel", "denoise"];
const without = (section: { shape: object }, out: readonly string[]): string[] =>
  Object.keys(section.shape).filter((key) => !out.includes(key));
const [ddpm, ncsnpp] = [Object.keys(models.ddpm.shape), Object.keys(models.ncsnpp.shape)];

test.each<[string, string[], Rows | undefined]>([
  ["sigmas", Object.keys(sigmas.shape), ours.get("key of `sigmas`")],
  ["sde", Object.values(sdes).flatMap(({ shape }) => Object.keys(shape)), ours.get("key of `sde`")],
  ["ncsn, ncsnv2", without(models.ncsn, ["name"]), ours.get("key of `ncsn`, `ncsn-deeper`, `ncsnv2`")],
  ["ncsn-small", without(models["ncsn-small"], ["name"]), ours.get("key of `ncsn-small`")],
  ["ddpm", without(models.ddpm, ["name"]), ours.get("key of `ddpm`, `ncsnpp`")],
  ["ncsnpp", ncsnpp.filter((key) => !ddpm.includes(key)), ours.get("key of `ncsnpp` alone")],
  ["sampling", common, ours.get("key of `sampling`")],
  ["sampling on a ladder", without(annealedSampling, common), ours.get("key of `sampling` on a ladder")],
  ["sampling on an SDE", without(sdeSampling, common), ours.get("key of `sampling` on an SDE")],
  [
    "training",
    [...Object.keys(annealedTraining.shape), ...Object.keys(sdeTraining.shape)],
    training.get("key"),
  ],
])("every key of %s has its row", (_, keys, rows) => {
  expect(keysOf(rows).sort()).toEqual([...new Set(keys)].sort());
});

describe("defaults", () => {
  const sections: [string, Shape[]][] = [
    ["key of `sigmas`", [shapeOf(sigmas)]],
    ["key of `sde`", [shapeOf(sdes.ve), shapeOf(sdes.vp)]],
    ["key of `sampling`", [shapeOf(annealedSampling), shapeOf(sdeSampling)]],
    ["key of `sampling` on a ladder", [shapeOf(annealedSampling)]],
    ["key of `sampling` on an SDE", [shapeOf(sdeSampling)]],
  ];

  test.each(sections)("of %s", (head, shapes) => {
    let looked = 0;
    for (const [cell, told] of ours.get(head)!) {
      const keys = quoted(cell!);
      const values = keys.length > 1 ? told!.split(", ") : [told!];
      for (const [i, key] of keys.entries()) {
        const wanted = [
          ...new Set(shapes.map((shape) => defaultOf(shape, key)).filter((v) => v !== undefined)),
        ];
        if (wanted.length === 0) continue;
        const said = values[i]!.split(/; on an SDE | for /).map((part) => parse(part));
        expect(said, key).toEqual(wanted);
        looked++;
      }
    }
    expect(looked).toBeGreaterThan(0);
  });
});

test("what official keys became exists", () => {
  const known: Record<string, string[]> = {
    data: Object.keys(data.shape),
    model: ncsnpp,
    sigmas: Object.keys(sigmas.shape),
    sde: Object.values(sdes).flatMap(({ shape }) => Object.keys(shape)),
    training: [...Object.keys(annealedTraining.shape), ...Object.keys(sdeTraining.shape)],
    sampling: [...Object.keys(annealedSampling.shape), ...Object.keys(sdeSampling.shape)],
  };
  for (const [official, here] of ours.get("official key")!) {
    const keys = quoted(here!);
    expect(keys).toHaveLength(quoted(official!).length);
    for (const key of keys) {
      const [section, name] = key.split(".");
      expect(known[section!], key).toContain(name);
    }
  }
});
