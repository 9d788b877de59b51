import {
  embeddingGradChunk,
  embeddingGrad as gradKernel,
  embedding as kernel,
} from "../../kernels/embedding.ts";
import { runVariant } from "../../kernels/runs.ts";
import { UsageError } from "../errors.ts";
import { defineOp } from "../op.ts";
import * as oracle from "../oracle/embedding.ts";
import { showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { cast } from "./cast.ts";
import { reduceAxes } from "./reduce.ts";

// Looking rows up and summing into them are each other's adjoint.

const lookUp = defineOp<object>({
  name: "embedding",
  forward: (engine, [table, labels]) => {
    const [rows, width] = table!.shape as [number, number];
    const y = engine.empty([...labels!.shape, width]);
    const variant = runVariant(engine.hardware, width);
    engine.launch(
      kernel,
      variant,
      { table: table!, labels: labels!, y },
      { count: labels!.size, rows, width },
    );
    return y;
  },
  vjp: ({ inputs: [, labels], dy, shapes }) => [embeddingGrad(dy, labels!, shapes[0]![0]!)],
  saves: { inputs: [1] },
  oracle: ([table, labels]) => oracle.embedding(table!, labels!),
});

const sumInto = defineOp<{ rows: number }>({
  name: "embedding_grad",
  forward: (engine, [dy, labels], { rows }) => {
    const width = dy!.dim(-1);
    const count = labels!.size;
    const by = engine.hardware.kind === "cpu" ? "column" : "row";
    const chunk = embeddingGradChunk({ count, rows }, by);
    const chunks = Math.ceil(count / chunk);
    const tables = chunks === 1 ? engine.empty([rows, width]) : engine.empty([chunks, rows, width], "f32");
    engine.launch(
      gradKernel,
      { by, vec: width % 4 === 0 },
      { dy: dy!, labels: labels!, dtable: tables },
      { count, rows, width, chunk },
    );
    if (chunks === 1) return tables;
    const dtable = engine.noGrad(() => reduceAxes(engine, "sum", tables, [0])).alias([rows, width]);
    tables.dispose();
    return engine.track(dtable);
  },
  vjp: ({ inputs: [, labels], dy }) => [embedding(dy, labels!)],
  saves: { inputs: [1] },
  oracle: ([dy, labels], { rows }) => oracle.embeddingGrad(dy!, labels!, rows),
});

/**
 * Rows of table [rows, width] at labels [...] (i32) -> [..., width]. A label outside the table gives NaN. Throws UsageError
 * for a table of another rank or of integers, and for labels that are not i32.
 */
export function embedding(table: Tensor, labels: Tensor): Tensor {
  if (table.dtype === "f16") return embedding(cast(table, "f32"), labels);
  if (table.rank !== 2 || table.dtype !== "f32" || labels.dtype !== "i32")
    throw new UsageError(
      `embedding: got table ${table.dtype} ${showShape(table.shape)}, labels ${labels.dtype}, expected f32 [rows,width] and i32`,
    );
  return lookUp(table.engine, [table, labels], {});
}

/** Of `oneHot`, whose table has the square of it. */
const MOST_CLASSES = 4096;

/** The adjoint: dtable [rows, width] from dy [..., width]. */
export const embeddingGrad = (dy: Tensor, labels: Tensor, rows: number): Tensor =>
  sumInto(dy.engine, [dy, labels], { rows });

/**
 * labels [...] (i32) -> [..., classes], 1 at the label and 0 elsewhere. A label outside the classes gives NaN. Throws
 * UsageError for labels that are not i32, and unless there are 1 to 4096 classes.
 */
export function oneHot(labels: Tensor, classes: number): Tensor {
  if (!(Number.isInteger(classes) && classes >= 1 && classes <= MOST_CLASSES))
    throw new UsageError(`oneHot: got ${classes} classes, expected 1 to ${MOST_CLASSES}`);
  const identity = Float32Array.from({ length: classes ** 2 }, (_, i) => (i % (classes + 1) === 0 ? 1 : 0));
  return embedding(labels.engine.tensor(identity, [classes, classes]), labels);
}
