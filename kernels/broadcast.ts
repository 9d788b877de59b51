import { components, type Hardware, range, unroll } from "./kernel.ts";

/*
 * What all lanes of a subgroup read at one place. A GPU reads it once. llvmpipe reads it for each lane by itself, as it
 * does everything whose place is not a constant, with a branch for each float. So there every lane reads a part of it and
 * hands that to the others.
 */

/** Lanes of the subgroups that broadcasting variants are written for: llvmpipe's, eight floats of a vector register. */
export const LANES = 8;

export const broadcasts = ({ kind, subgroups, subgroupSize }: Hardware): boolean =>
  kind === "cpu" && subgroups && subgroupSize === LANES;

interface Common {
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
    let ${name}_line${q} = ${name}_part${q} / ${length}u;
    let ${name}_place${q} = ${name}_line${q} * ${pitch} + ${name}_part${q} % ${length}u;`,
        )
      : "",
    /** The first vec4 stands `at` there. Of lines beyond the first, only so many as are `there`: zeros for the others. */
    read: (at: string, there?: string): string => {
      const value = (i: number, place: string, line: string | number): string => {
        const read = `${array}[${at} + ${place}]`;
        const guarded = there !== undefined && line !== 0;
        const some = typeof line === "number" ? `${line}u` : line;
        return `let ${name}${i} = ${guarded ? `select(vec4f(), ${read}, ${some} < ${there})` : read};`;
      };
      return broadcast
        ? unroll(loads.length, (q) => value(q, `${name}_place${q}`, `${name}_line${q}`), " ")
        : places.map(([line, q], i) => value(i, `${line}u * ${pitch} + ${q}u`, line)).join(" ");
    },
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
