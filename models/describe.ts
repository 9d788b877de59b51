import { flopsOf } from "../engine/dry.ts";
import type { Engine } from "../engine/engine.ts";
import type { OpEvent } from "../engine/op.ts";
import type { Shape } from "../engine/tensor.ts";
import { countParameters, type Module } from "./module.ts";

/** A module of a network, as a walk through the network saw it. */
export interface Layer {
  /** Official name within the module around it. */
  readonly name: string;
  readonly kind: string;
  /** Numbers that training moves. */
  readonly parameters: number;
  /** Shape of what it gave last; absent if it did not run. */
  readonly output: Shape | undefined;
  /** Floating point operations, a multiply-add counted as two. */
  readonly flops: number;
  readonly layers: readonly Layer[];
}

/** The network with all its modules, told of by a forward pass, `run`, that is walked through without the device. */
export function describe(engine: Engine, network: Module, run: () => unknown): Layer {
  const flops = new Map<string, number>();
  const outputs = new Map<string, Shape>();
  const previous = engine.observer;
  engine.observer = ({ y }: OpEvent) => {
    for (const module of around(engine.path)) outputs.set(module, y.shape);
  };
  try {
    engine.dry(
      () => {
        engine.noGrad(run);
      },
      (launch) => {
        const more = flopsOf(launch);
        for (const module of around(engine.path)) flops.set(module, (flops.get(module) ?? 0) + more);
      },
    );
  } finally {
    engine.observer = previous;
  }

  const layerOf = (module: Module, path: readonly string[]): Layer => {
    const name = module.label ?? module.constructor.name;
    const own = [...path, name];
    const key = keyOf(own);
    return {
      name,
      kind: module.constructor.name,
      parameters: countParameters(module),
      output: outputs.get(key),
      flops: flops.get(key) ?? 0,
      layers: [...module.parts()].map((part) => layerOf(part, own)),
    };
  };
  return layerOf(network, []);
}

/** Labels hold dots. */
const keyOf = (path: readonly string[]): string => path.join("/");

/** Every module that a path leads through. */
const around = (path: readonly string[]): string[] => path.map((_, i) => keyOf(path.slice(0, i + 1)));
