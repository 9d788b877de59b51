import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../engine/errors.ts";
import { type Pair, pair } from "../../engine/ops/conv-shapes.ts";
import { readSafetensors, type SafetensorsEntry } from "../../engine/safetensors.ts";

/** How far a group of results may be from the truth. See shared/reference/README.md. */
export interface Check {
  /** A tensor's name, or `prefix.*`: several compared as one vector. */
  readonly group: string;
  /** Integer results, equal to the last bit. */
  readonly exact?: boolean;
  readonly tol_max_abs?: number;
  /** Null where a relative error means nothing. */
  readonly tol_rel_l2?: number | null;
  /** A bound for each tensor of the group beside. */
  readonly tol_max_abs_each?: Readonly<Record<string, number>>;
}

interface IndexEntry {
  readonly file: string;
  readonly kind: string;
  readonly name: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly checks: readonly Check[];
}

/** A case's index entry. The file is read when its tensors are asked for. */
export class ReferenceCase {
  readonly kind: string;
  readonly name: string;
  readonly attrs: Attributes;
  readonly checks: readonly Check[];
  readonly #path: string;
  #tensors: ReadonlyMap<string, SafetensorsEntry> | undefined;

  constructor(folder: string, entry: IndexEntry) {
    this.kind = entry.kind;
    this.name = entry.name;
    this.attrs = new Attributes(entry.name, entry.attrs);
    this.checks = entry.checks;
    this.#path = join(folder, entry.file);
  }

  get tensors(): ReadonlyMap<string, SafetensorsEntry> {
    this.#tensors ??= readSafetensors(readFileSync(this.#path)).tensors;
    return this.#tensors;
  }

  /** Tensors whose names begin so, under the rest of their names. */
  under(prefix: string): Map<string, SafetensorsEntry> {
    const found = [...this.tensors].filter(([name]) => name.startsWith(prefix));
    return new Map(found.map(([name, entry]) => [name.slice(prefix.length), entry]));
  }

  /** The shape of a tensor of the file. Throws UsageError when there is none of that name. */
  shape(name: string): readonly number[] {
    return this.#entry(name).shape;
  }

  /** A tensor's values as float32, whatever the file stores. Throws UsageError when there is none of that name. */
  values(name: string): Float32Array<ArrayBuffer> {
    return Float32Array.from(this.#entry(name).data);
  }

  #entry(name: string): SafetensorsEntry {
    const entry = this.tensors.get(name);
    if (!entry) throw new UsageError(`${this.name}: the file has no tensor ${name}`);
    return entry;
  }
}

/** Attributes by name and type; absent and null ones take the fallback. Throws UsageError for another type. */
export class Attributes {
  readonly #who: string;
  readonly #values: Readonly<Record<string, unknown>>;

  constructor(who: string, values: Readonly<Record<string, unknown>>) {
    this.#who = who;
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined && this.#values[name] !== null;
  }

  number(name: string, fallback?: number): number {
    return this.#typed(name, "number", fallback);
  }

  string(name: string, fallback?: string): string {
    return this.#typed(name, "string", fallback);
  }

  boolean(name: string, fallback?: boolean): boolean {
    return this.#typed(name, "boolean", fallback);
  }

  numbers(name: string, fallback?: readonly number[]): readonly number[] {
    const value = this.#typed(name, "object", fallback);
    if (!Array.isArray(value) || value.some((v) => typeof v !== "number"))
      throw new UsageError(`${this.#who}: got attribute ${name} ${JSON.stringify(value)}, expected numbers`);
    return value;
  }

  strings(name: string): readonly string[] {
    const value = this.#typed<unknown>(name, "object");
    if (!Array.isArray(value) || value.some((v) => typeof v !== "string"))
      throw new UsageError(`${this.#who}: got attribute ${name} ${JSON.stringify(value)}, expected words`);
    return value;
  }

  /** A number, or one for each axis. */
  pair(name: string, fallback?: number): Pair {
    if (typeof this.#values[name] !== "object" || !this.has(name)) return pair(this.number(name, fallback));
    const [y, x] = this.numbers(name);
    return [y!, x!];
  }

  /** A nested record, such as `config`. */
  record(name: string): Attributes {
    return new Attributes(`${this.#who}.${name}`, this.#typed<Record<string, unknown>>(name, "object"));
  }

  #typed<T>(name: string, type: string, fallback?: T): T {
    const value = this.has(name) ? this.#values[name] : fallback;
    if (typeof value !== type)
      throw new UsageError(`${this.#who}: got attribute ${name} ${value}, expected a ${type}`);
    return value as T;
  }
}

/** Every case of a reference folder. Throws UsageError when there is no index. */
export function readCases(folder: string): ReferenceCase[] {
  const path = join(folder, "index.json");
  if (!existsSync(path))
    throw new UsageError(
      `reference: got folder ${folder} without index.json, expected a reference folder such as ../shared/reference`,
    );
  const { cases } = JSON.parse(readFileSync(path, "utf8")) as { cases: IndexEntry[] };
  return cases.map((entry) => new ReferenceCase(folder, entry));
}
