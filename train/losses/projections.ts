import { expectedOneOf, UsageError } from "../../engine/errors.ts";
import { div, mul, perSample, sqrt, square, sumEach } from "../../engine/ops/index.ts";
import { type Draw, type DrawSource, rademacher, randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";

export const projectionNames = ["gaussian", "rademacher", "sphere"] as const;
/**
 * The law of the vectors v along which sliced score matching looks, all with E[v v^T] = I: standard normal; +1 or -1 each;
 * uniform on the sphere of radius sqrt(D). For the last two |v|^2 does not vary.
 */
export type Projection = (typeof projectionNames)[number];

export interface ProjectionOptions extends DrawSource {
  /** "gaussian" unless told, as published. */
  projection?: Projection;
  /** Vectors for each sample; 1 unless told. */
  particles?: number;
}

/**
 * Random vectors for x [n,...]: as many tensors of its shape as there are particles. They never meet the noise that
 * perturbs x, whose draw is that of site 0. Throws UsageError for a projection that is none, and unless there is at
 * least one particle.
 */
export function projections(
  x: Tensor,
  { projection = "gaussian", particles = 1, ...source }: ProjectionOptions,
): Tensor[] {
  if (!projectionNames.includes(projection))
    throw new UsageError(
      `projections: got projection ${projection}, ${expectedOneOf(projection, projectionNames)}`,
    );
  if (!Number.isSafeInteger(particles) || particles < 1)
    throw new UsageError(`projections: got ${particles} particles, expected a whole number from 1`);
  return Array.from({ length: particles }, (_, i) =>
    laws[projection](x, { ...source, purpose: "perturb", site: i + 1 }),
  );
}

const laws: Record<Projection, (x: Tensor, draw: Draw) => Tensor> = {
  gaussian: ({ engine, shape }, draw) => randn(engine, shape, draw),
  rademacher: ({ engine, shape }, draw) => rademacher(engine, shape, draw),
  sphere: (x, draw) => onSphere(randn(x.engine, x.shape, draw), Math.sqrt(x.size / x.dim(0))),
};

/** Each sample of v [n,...] stretched to a length. */
export const onSphere = (v: Tensor, radius: number): Tensor =>
  mul(div(v, perSample(sqrt(sumEach(square(v))), v)), radius);
