import { UsageError } from "../engine/errors.ts";
import { allFinite } from "../engine/verify.ts";
import type { InceptionV3 } from "./inception.ts";
import { listed, misfits, type State } from "./module.ts";

/** Of every batch norm in the network. */
const BATCH_NORM_EPS = 0.001;
/** Faults told of a file, at most: a foreign one has hundreds. */
const SHOWN = 5;

/**
 * Gives the network a file's weights, under the names of the usual port: NAME.conv.weight, NAME.bn.weight, NAME.bn.bias,
 * NAME.bn.running_mean and NAME.bn.running_var of each convolution, fc.weight and fc.bias. `name` stands in messages.
 * Throws UsageError for what is missing, misshapen, not expected or not finite, and then changes nothing.
 */
export function loadInception(network: InceptionV3, values: State, name: string): void {
  const given = new Map([...values].filter(([key]) => !key.endsWith(".num_batches_tracked")));
  const faults = misfits(portedShapes(network), given);
  const wild = faults.length === 0 ? firstWild(given) : undefined;
  if (wild) faults.push(wild);
  if (faults.length > 0) {
    const rest = faults.length > SHOWN ? [`and ${faults.length - SHOWN} more`] : [];
    throw new UsageError(
      `inception: ${name} does not hold the network of FID under its names:${listed([...faults.slice(0, SHOWN), ...rest])}`,
    );
  }
  network.load(foldInception(given));
}

/** Every name of a ported file with its shape. */
export function portedShapes(network: InceptionV3): Map<string, { shape: readonly number[] }> {
  const shapes = new Map<string, { shape: readonly number[] }>();
  for (const [name, { shape }] of network.named()) {
    if (name.startsWith("fc.")) shapes.set(name, { shape });
    else if (name.endsWith(".weight")) {
      const part = name.slice(0, -".weight".length);
      shapes.set(`${part}.conv.weight`, { shape });
      for (const one of ["weight", "bias", "running_mean", "running_var"])
        shapes.set(`${part}.bn.${one}`, { shape: [shape[0]!] });
    }
  }
  return shapes;
}

/**
 * Each batch norm taken into the convolution before it: with f = weight / sqrt(running_var + 0.001), f conv.weight and
 * the bias bn.bias - f running_mean, reckoned in float64.
 */
function foldInception(values: State): State {
  const folded = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const [name, { shape, data }] of values) {
    if (name.startsWith("fc.")) folded.set(name, { shape, data: Float32Array.from(data) });
    if (!name.endsWith(".conv.weight")) continue;
    const part = name.slice(0, -".conv.weight".length);
    const norm = (what: string) => values.get(`${part}.bn.${what}`)!.data;
    const variance = norm("running_var");
    const factors = Float64Array.from(norm("weight"), (w, i) => w / Math.sqrt(variance[i]! + BATCH_NORM_EPS));
    const perOutput = data.length / shape[0]!;
    const means = norm("running_mean");
    folded.set(`${part}.weight`, {
      shape,
      data: Float32Array.from(data, (w, i) => w * factors[Math.floor(i / perOutput)]!),
    });
    folded.set(`${part}.bias`, {
      shape: [shape[0]!],
      data: Float32Array.from(norm("bias"), (b, i) => b - factors[i]! * means[i]!),
    });
  }
  return folded;
}

function firstWild(values: State): string | undefined {
  for (const [name, { data }] of values) {
    if (!allFinite(Float32Array.from(data))) return `${name} holds values that are not finite`;
    if (name.endsWith(".running_var") && data.some((v) => v < 0)) return `${name} holds a negative variance`;
  }
  return undefined;
}
