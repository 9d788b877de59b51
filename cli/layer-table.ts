import { aligned } from "../bench/format.ts";
import { showShape } from "../engine/shapes.ts";
import type { Layer } from "../models/describe.ts";

type Row = readonly [layer: string, kind: string, output: string, parameters: string, flops: string];

interface LayerTableOptions {
  /** Images that the walk was for. */
  batch: number;
  /** Every module, none folded. */
  full?: boolean | undefined;
}

/** The network's layers as lines, neighbours of one list and one output shape as one. */
export function layerTable(network: Layer, { batch, full = false }: LayerTableOptions): string[] {
  const row = (group: readonly Layer[]) => rowOf(group, batch);
  const rows = full ? tree(network.layers, row) : folded(network.layers).map(row);
  const head: Row = ["layer", "kind", "output", "parameters", "GFLOP an image"];
  return aligned([head, ...rows], 3); // words to the left, numbers to the right
}

function tree(layers: readonly Layer[], row: (group: readonly Layer[]) => Row, indent = ""): Row[] {
  return layers.flatMap((layer) => {
    const [name, ...cells] = row([layer]);
    return [[indent + name, ...cells] as const, ...tree(layer.layers, row, `${indent}  `)];
  });
}

/** Neighbours that stand in one list and give one shape. */
function folded(layers: readonly Layer[]): Layer[][] {
  const groups: Layer[][] = [];
  for (const layer of layers) {
    const last = groups.at(-1);
    const before = last?.[0];
    const alike =
      before !== undefined &&
      isNumbered(layer) &&
      listOf(layer) === listOf(before) &&
      String(layer.output) === String(before.output);
    if (alike) last!.push(layer);
    else groups.push([layer]);
  }
  return groups;
}

const isNumbered = ({ name }: Layer): boolean => /\.\d+$/.test(name);
const listOf = ({ name }: Layer): string => name.replace(/\.\d+$/, "");

function rowOf(group: readonly Layer[], batch: number): Row {
  const [first] = group;
  const last = group.at(-1)!.name.split(".").at(-1);
  const sum = (of: (layer: Layer) => number) => group.reduce((total, layer) => total + of(layer), 0);
  return [
    group.length === 1 ? first!.name : `${first!.name}-${last}`,
    kinds(group),
    first!.output ? showShape(first!.output) : "-",
    sum(({ parameters }) => parameters).toLocaleString("en"),
    (sum(({ flops }) => flops) / batch / 1e9).toFixed(3),
  ];
}

/** How many there are of each kind, in order of appearance. */
function kinds(group: readonly Layer[]): string {
  const counts = new Map<string, number>();
  for (const { kind } of group) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return [...counts].map(([kind, count]) => (count === 1 ? kind : `${count} ${kind}`)).join(", ");
}
