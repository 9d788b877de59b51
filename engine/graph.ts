import type { OpSpec } from "./op.ts";
import type { Shape, Tensor } from "./tensor.ts";

/**
 * One value of the graph: which op made it from which values. Counted like memory: alive while a handle
 * or a later node needs it, so that a forward pass without a backward one leaves nothing behind.
 */
export class GraphNode {
  static #nextId = 1;
  /** The id of the node that is made next. */
  static get next(): number {
    return GraphNode.#nextId;
  }

  /** Ascending in the order of creation: a node's parents always have smaller ids. */
  readonly id = GraphNode.#nextId++;
  readonly shape: Shape;
  readonly record: OpRecord | undefined;
  #users = 0;

  /** Without a record the node is a leaf. */
  constructor(shape: Shape, record?: OpRecord) {
    this.shape = shape;
    this.record = record;
    for (const parent of record?.parents ?? []) parent?.retain();
  }

  retain(): this {
    this.#users++;
    return this;
  }

  /** Walks on to the parents by a list: a graph may be deeper than the stack. */
  release(): void {
    if (--this.#users > 0) return;
    const unused: GraphNode[] = [this];
    for (const node of unused) {
      node.freeSaved();
      for (const parent of node.record?.parents ?? [])
        if (parent && --parent.#users === 0) unused.push(parent);
    }
  }

  /** Gives back the activations kept for the backward pass. */
  freeSaved(): void {
    const { record } = this;
    if (!record || record.freed) return;
    record.freed = true;
    for (const t of record.inputs) t?.dispose();
    record.output?.dispose();
    for (const t of record.extras) t.dispose();
  }
}

/** What an application of an op keeps for its derivative. The handles belong to the node. */
export interface OpRecord {
  readonly spec: OpSpec<unknown>;
  readonly attrs: unknown;
  readonly parents: readonly (GraphNode | undefined)[];
  readonly shapes: readonly (Shape | undefined)[];
  readonly inputs: readonly (Tensor | undefined)[];
  /** Without its node, which would keep itself alive. */
  readonly output: Tensor | undefined;
  readonly extras: readonly Tensor[];
  /** Writes that the stream had counted when the value was there: what is kept is of use until it is written anew. */
  readonly made: number;
  /** Of the step that was recorded when it was made: replays make it anew. */
  readonly replays: Replays | undefined;
  freed: boolean;
}

/** How far the replays of a captured step have come. */
export interface Replays {
  /** Writes that the stream had counted after the newest; 0 before the first. */
  at: number;
}
