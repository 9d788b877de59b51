import { UsageError } from "../engine/errors.ts";
import { allFinite } from "../engine/verify.ts";
import { listed, type Module, misfits, type State } from "./module.ts";

/**
 * What scripts/export_pytorch.py makes of an official checkpoint: the state_dict under its names, which begin with
 * "module." where DataParallel saved it, and beside it the running averages, as ema.NAME (NCSNv2) or as ema.0, ema.1,
 * ... (score_sde): one for each parameter that requires a gradient, in the order of the network's parameters().
 */
export type PyTorchExport = State;

/** A network's values under its own names and in its own order, float32. */
export interface NetworkValues {
  readonly network: State;
  /** Running averages of what training moves; empty when there are none. */
  readonly ema: State;
}

const EMA = "ema.";
const WRAPPER = "module.";

/**
 * The values of an export for this network, whose own values are not looked at. Throws UsageError, listing every name
 * that is missing, unexpected or of another shape, when the export is of another network; and for values that are not
 * finite. `name`, of the export, stands in messages.
 */
export function fromPyTorch(exported: PyTorchExport, network: Module, name: string): NetworkValues {
  const own = new Map(network.named());
  const trainable = network.parameters();
  const averages = renamed(exported, (key) => afterPrefix(key, EMA));
  const values = withoutWrapper(renamed(exported, (key) => (key.startsWith(EMA) ? undefined : key)));
  const ema = nameAverages(averages, [...trainable.keys()]);
  const faults = misfits(own, values);
  if (ema.size > 0) faults.push(...misfits(trainable, ema).map((fault) => `ema: ${fault}`));
  if (faults.length > 0)
    throw new UsageError(
      `convert: ${name} is of another network than the configuration describes; compare model, data and sigmas:${listed(faults)}`,
    );
  return {
    network: inOrder(own.keys(), values, name),
    ema: ema.size > 0 ? inOrder(trainable.keys(), ema, `${name}: ema`) : ema,
  };
}

/** Under other names; what gets none is left out. */
function renamed(values: State, rename: (name: string) => string | undefined): State {
  const entries = [...values].flatMap(([name, value]) => {
    const other = rename(name);
    return other === undefined ? [] : [[other, value] as const];
  });
  return new Map(entries);
}

const afterPrefix = (name: string, prefix: string): string | undefined =>
  name.startsWith(prefix) ? name.slice(prefix.length) : undefined;

/** DataParallel puts the same word before every name. */
function withoutWrapper(values: State): State {
  const unwrapped = renamed(values, (name) => afterPrefix(name, WRAPPER));
  return unwrapped.size === values.size ? unwrapped : values;
}

/** Averages that came numbered take the names of the parameters in order; a number beyond those stays. */
function nameAverages(averages: State, names: readonly string[]): State {
  const numbered = [...averages.keys()].every((key) => /^\d+$/.test(key));
  return numbered ? renamed(averages, (key) => names[Number(key)] ?? key) : withoutWrapper(averages);
}

function inOrder(names: Iterable<string>, values: State, who: string): State {
  const ordered = new Map<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>();
  for (const name of names) {
    const { shape, data } = values.get(name)!;
    const floats = Float32Array.from(data);
    if (!allFinite(floats))
      throw new UsageError(
        `convert: ${who}: ${name} holds values that are not finite; the run diverged or the file is damaged`,
      );
    ordered.set(name, { shape, data: floats });
  }
  return ordered;
}
