import { windowCopy } from "../kernels/window.ts";
import type { Engine } from "./engine.ts";
import { fromHost } from "./host-data.ts";
import type { Shape, Tensor } from "./tensor.ts";

/** Two tensors as planes of rows, of which one is a window of the other: see kernels/window.ts. */
interface Planes {
  readonly height: number;
  readonly width: number;
  readonly lines: number;
  readonly pitch: number;
  readonly top: number;
  readonly left: number;
}

/** Lines of fewer numbers take a CPU driver longer than number by number; of more, would leave some of its cores idle. */
const LINE = { shortest: 8, longest: 1024 };

/**
 * x where its first element belongs at `starts` of a tensor of another shape (below 0: x is cropped), and `value` beside it.
 * Undefined, and nothing is done, where more than two axes differ or none, or a CPU driver had better not.
 */
export function windowOf(
  engine: Engine,
  x: Tensor,
  shape: Shape,
  starts: readonly number[],
  value: number,
): Tensor | undefined {
  const planes = asPlanes(x.shape, shape, starts);
  if (!planes) return undefined;
  const cpu = engine.hardware.kind === "cpu";
  if (cpu && (planes.pitch < LINE.shortest || planes.pitch > LINE.longest)) return undefined;
  const y = engine.empty(shape, x.dtype);
  const bits = new Uint32Array(fromHost([value], x.dtype === "f16" ? "f32" : x.dtype).buffer)[0]!;
  engine.launch(windowCopy, { by: cpu ? "lines" : "vec" }, { x, y }, { ...planes, count: y.size, bits });
  return y;
}

/** An axis that is alike on both sides belongs to the one before it. */
function asPlanes(from: Shape, to: Shape, starts: readonly number[]): Planes | undefined {
  const moved: { from: number; to: number; start: number }[] = [];
  starts.forEach((start, k) => {
    if (start !== 0 || from[k] !== to[k]) {
      moved.push({ from: from[k]!, to: to[k]!, start });
      return;
    }
    const last = moved.at(-1);
    if (!last) return;
    last.from *= from[k]!;
    last.to *= to[k]!;
    last.start *= to[k]!;
  });
  const columns = moved.pop();
  const rows = moved.pop() ?? { from: 1, to: 1, start: 0 };
  if (!columns || moved.length > 0) return undefined;
  return {
    height: rows.from,
    width: columns.from,
    lines: rows.to,
    pitch: columns.to,
    top: rows.start >>> 0,
    left: columns.start >>> 0,
  };
}
