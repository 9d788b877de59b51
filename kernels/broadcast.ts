import { type Hardware, range, unroll } from "./kernel.ts";

/*
 * What all lanes of a subgroup read at one place. A GPU reads it once. llvmpipe reads it for each lane by itself, as it
 * does everything whose place is not a constant, with a branch for each float. So there every lane reads a part of it and
 * hands that to the others.
 */

/** Lanes of the subgroups that broadcasting variants are written for: llvmpipe's, eight floats of a vector register. */
export const LANES = 8;

export const broadcasts = ({ kind, subgroups, subgroupSize }: Hardware): boolean =>
  kind === "cpu" && subgroups && subgroupSize === LANES;

const components = ["x", "y", "z", "w"] as const;

export interface Common {
  /** Of the variables that hold what was read. */
  name: string;
  /** Of vec4s. */
  array: string;
  /** So many lines of so many vec4s, whose lines begin `pitch` vec4s apart. */
  lines: number;
  length: number;
  pitch: string;
  broadcast: boolean;
}

/** WGSL that reads `lines` x `length` vec4s; with `broadcast`, the lane's number is called `own`. */
export function common({ name, array, lines, length, pitch, broadcast }: Common) {
  const count = lines * length;
  const places = range(count).map((i) => [Math.floor(i / length), i % length] as const);
  const loads = range(Math.ceil(count / LANES));
  return {
    /** Once, before the loops. */
    places: broadcast
      ? unroll(
          loads.length,
          (q) => `let ${name}_part${q} = min(own + ${q * LANES}u, ${count - 1}u);
    let ${name}_place${q} = ${name}_part${q} / ${length}u * ${pitch} + ${name}_part${q} % ${length}u;`,
        )
      : "",
    /** The first vec4 stands `at` there. */
    read: (at: string): string =>
      broadcast
        ? unroll(loads.length, (q) => `let ${name}${q} = ${array}[${at} + ${name}_place${q}];`, " ")
        : places
            .map(([line, q], i) => `let ${name}${i} = ${array}[${at} + ${line}u * ${pitch} + ${q}u];`)
            .join(" "),
    /** The k-th float of a line. */
    float: (line: number, k: number): string => {
      const i = line * length + (k >> 2);
      const component = components[k & 3];
      return broadcast
        ? `subgroupBroadcast(${name}${Math.floor(i / LANES)}.${component}, ${i % LANES}u)`
        : `${name}${i}.${component}`;
    },
  };
}

/** Arguments of `main` that `common` needs. */
export const ownLane = (broadcast: boolean): string =>
  broadcast ? "@builtin(subgroup_invocation_id) own: u32" : "";
