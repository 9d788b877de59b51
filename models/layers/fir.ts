import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { conv2d, convTranspose2d, flip, permute, upfirdn2d } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";

/**
 * Resampling by a small smoothing filter, which lets no frequency alias. Taps [k] give the separable filter
 * taps taps^T / (sum taps)^2; factor is how much larger or smaller an image becomes. Karras et al. 2020
 * (StyleGAN2); paddings as in score_sde's up_or_down_sampling.
 */
export class Fir {
  readonly factor: number;
  readonly taps: number;
  readonly #filter: Tensor;
  /** For upsampling, where only one of factor^2 inputs is not zero. */
  readonly #gained: Tensor;

  constructor(engine: Engine, taps: readonly number[], factor = 2) {
    const total = taps.reduce((a, b) => a + b, 0);
    if (taps.length === 0 || !(Math.abs(total) > 0))
      throw new UsageError(
        `Fir: got taps [${taps}], expected at least one and a sum that is not 0; the usual are [1,3,3,1]`,
      );
    if (!Number.isInteger(factor) || factor < 1)
      throw new UsageError(`Fir: got factor ${factor}, expected a whole number of at least 1`);
    const filter = taps.flatMap((a) => taps.map((b) => (a * b) / total ** 2));
    const onDevice = (gain: number) =>
      engine.untrack(
        engine.tensor(
          Float32Array.from(filter, (v) => v * gain),
          [taps.length, taps.length],
        ),
      );
    this.factor = factor;
    this.taps = taps.length;
    this.#filter = onDevice(1);
    this.#gained = onDevice(factor ** 2);
  }

  /** x [n,c,h,w] -> [n,c,factor h,factor w]. */
  upsample(x: Tensor): Tensor {
    const { factor } = this;
    const p = this.taps - factor;
    return upfirdn2d(x, this.#gained, { up: factor, pad: [up(p) + factor - 1, down(p)] });
  }

  /** x [n,c,h,w] -> [n,c,h/factor,w/factor]. */
  downsample(x: Tensor): Tensor {
    const p = this.taps - this.factor;
    return upfirdn2d(x, this.#filter, { down: this.factor, pad: [up(p), down(p)] });
  }

  /** Filter and strided convolution in one: x [n,in,h,w], weight [out,in,k,k] -> [n,out,h/factor,w/factor]. */
  convDownsample(x: Tensor, weight: Tensor): Tensor {
    const p = this.taps - this.factor + weight.dim(3) - 1;
    return conv2d(upfirdn2d(x, this.#filter, { pad: [up(p), down(p)] }), weight, undefined, {
      stride: this.factor,
    });
  }

  /**
   * Convolution over the zero-stuffed image, then the filter: x [n,in,h,w], weight [out,in,k,k] -> [n,out,factor h,factor w].
   * A transposed convolution correlates with the reversed weight; reversing it first gives the plain correlation.
   */
  upsampleConv(x: Tensor, weight: Tensor): Tensor {
    const { factor } = this;
    const p = this.taps - factor - (weight.dim(3) - 1);
    const stuffed = convTranspose2d(x, flip(permute(weight, [1, 0, 2, 3]), [2, 3]), undefined, {
      stride: factor,
    });
    return upfirdn2d(stuffed, this.#gained, { pad: [up(p) + factor - 1, down(p) + 1] });
  }

  dispose(): void {
    this.#filter.dispose();
    this.#gained.dispose();
  }
}

const up = (p: number): number => Math.floor((p + 1) / 2);
const down = (p: number): number => Math.floor(p / 2);
