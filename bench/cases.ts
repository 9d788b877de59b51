import type { Engine } from "../engine/engine.ts";
import { cases as dispatch } from "./dispatch.bench.ts";
import type { Case } from "./harness.ts";
import { cases as accumulate } from "./kernels/accumulate.bench.ts";
import { cases as adam } from "./kernels/adam.bench.ts";
import { cases as attention } from "./kernels/attention.bench.ts";
import { cases as binary } from "./kernels/binary.bench.ts";
import { cases as cast } from "./kernels/cast.bench.ts";
import { cases as clip } from "./kernels/clip.bench.ts";
import { cases as combine } from "./kernels/combine.bench.ts";
import { cases as convUpdate } from "./kernels/conv-update.bench.ts";
import { cases as conv2d, onUnits } from "./kernels/conv2d.bench.ts";
import { cases as copy } from "./kernels/copy.bench.ts";
import { cases as dropout } from "./kernels/dropout.bench.ts";
import { cases as dsm } from "./kernels/dsm.bench.ts";
import { cases as embedding } from "./kernels/embedding.bench.ts";
import { cases as fill } from "./kernels/fill.bench.ts";
import { cases as linearUpdate } from "./kernels/linear-update.bench.ts";
import { cases as matmul, reference } from "./kernels/matmul.bench.ts";
import { cases as metropolis } from "./kernels/metropolis.bench.ts";
import { cases as norm } from "./kernels/norm.bench.ts";
import { cases as pool } from "./kernels/pool.bench.ts";
import { cases as random } from "./kernels/random.bench.ts";
import { cases as reduce } from "./kernels/reduce.bench.ts";
import { cases as resize } from "./kernels/resize.bench.ts";
import { cases as softmax } from "./kernels/softmax.bench.ts";
import { cases as unary } from "./kernels/unary.bench.ts";
import { cases as upfirdn2d } from "./kernels/upfirdn2d.bench.ts";
import { cases as where } from "./kernels/where.bench.ts";
import { roofline } from "./roofline.bench.ts";
import type { ByKind, Kind, SizedCases } from "./sizes.ts";
import { cases as training } from "./training.bench.ts";

const all: readonly (readonly Case[] | SizedCases)[] = [
  matmul,
  conv2d,
  norm,
  softmax,
  attention,
  reduce,
  unary,
  binary,
  fill,
  random,
  linearUpdate,
  convUpdate,
  metropolis,
  dsm,
  adam,
  accumulate,
  clip,
  pool,
  resize,
  upfirdn2d,
  embedding,
  dropout,
  cast,
  copy,
  combine,
  where,
  dispatch,
  training,
];

const familiesFor = (kind: Kind): readonly Case[] =>
  all.flatMap((cases) => ("cpu" in cases ? cases[kind] : cases));

/** Every case that runs anywhere, by the kind of adapter; the roofline's come besides. */
export const families: ByKind<readonly Case[]> = { cpu: familiesFor("cpu"), gpu: familiesFor("gpu") };

/** Does a text hold another, whatever the case of their letters? Without another it does. */
export const matches = (text: string, filter: string | undefined): boolean =>
  filter === undefined || text.toLowerCase().includes(filter.toLowerCase());

export const chosen = ({ group, name, shape }: Case, filter: string | undefined): boolean =>
  matches(`${group} ${name} ${shape}`, filter);

/** The families that `--filter` and a choice may name. */
export const groups: readonly string[] = [...new Set(families.cpu.map((c) => c.group))];

/** Cases to run: those that match, `more` among them, and always what their shares are taken of. */
export const selected = (engine: Engine, filter?: string, more: readonly Case[] = []): Case[] => [
  ...roofline(engine),
  ...[...families[engine.hardware.kind], ...onUnits(engine.hardware), ...more].filter(
    (c) => c === reference || chosen(c, filter),
  ),
];
