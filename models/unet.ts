import { concat } from "../engine/ops/index.ts";
import type { DrawSource } from "../engine/random.ts";
import type { Tensor } from "../engine/tensor.ts";
import type { Collect, InputPyramid, Join, OutputPyramid } from "./pyramids.ts";

/** Feature maps to feature maps, told the noise by an embedding and, while training, where dropout's masks come from. */
interface Part {
  run(x: Tensor, embedding?: Tensor, masks?: DrawSource): Tensor;
}

/** What a U-Net is made of; asked for in the order in which the published networks number their modules. */
export interface UNetParts {
  resnet(inChannels: number, outChannels: number): Part;
  attention(channels: number): Part;
  /** Halves the image. */
  down(channels: number): Part;
  /** Doubles it. */
  up(channels: number): Part;
  /** Feeds the image at every size into the way down. */
  input?: InputPyramid;
  /** Collects the output at every size on the way up. */
  output?: OutputPyramid;
}

export interface UNetOptions {
  /** Side of the image in pixels, divisible by 2 for each level but the last. */
  imageSize: number;
  /** Width of the first feature maps. */
  nf: number;
  /** Width of each level in units of nf, full size first. */
  chMult: readonly number[];
  /** Residual blocks of a level on the way down; one more on the way up. */
  numResBlocks: number;
  /** Sides of the image at which there is attention. */
  attnResolutions: readonly number[];
}

/** Sides of the image at each level, full size first. */
export const resolutions = ({ imageSize, chMult }: Pick<UNetOptions, "imageSize" | "chMult">): number[] =>
  chMult.map((_, level) => imageSize / 2 ** level);

/** Residual blocks at one size, at some sizes each with attention behind it; `change` leads to the next size. */
interface DownLevel {
  readonly blocks: readonly { resnet: Part; attention: Part | undefined }[];
  readonly change: { down: Part; join: Join | undefined } | undefined;
}

interface UpLevel {
  readonly blocks: readonly Part[];
  readonly attention: Part | undefined;
  readonly collect: Collect | undefined;
  readonly up: Part | undefined;
}

/**
 * The U-Net of DDPM and NCSN++: down through the sizes, keeping every feature map; through the middle; and back up, each
 * residual block beside one of the maps that were kept. Ho et al. 2020, appendix B; Song et al. 2021, appendix H.
 */
export class UNet {
  /** Channels at the end. */
  readonly channels: number;
  readonly #down: readonly DownLevel[];
  readonly #middle: readonly Part[];
  readonly #up: readonly UpLevel[];

  constructor(parts: UNetParts, options: UNetOptions) {
    const { nf, chMult, numResBlocks, attnResolutions } = options;
    const sizes = resolutions(options);
    const smallest = sizes.length - 1;
    const attends = (level: number) => attnResolutions.includes(sizes[level]!);
    let channels = nf;
    const kept = [nf];

    this.#down = chMult.map((mult, level) => {
      const blocks = Array.from({ length: numResBlocks }, () => {
        const resnet = parts.resnet(channels, nf * mult);
        kept.push((channels = nf * mult));
        return { resnet, attention: attends(level) ? parts.attention(channels) : undefined };
      });
      if (level === smallest) return { blocks, change: undefined };
      const down = parts.down(channels);
      const join = parts.input?.(channels);
      kept.push((channels = join?.channels ?? channels));
      return { blocks, change: { down, join } };
    });

    this.#middle = [
      parts.resnet(channels, channels),
      parts.attention(channels),
      parts.resnet(channels, channels),
    ];

    const up: UpLevel[] = [];
    for (let level = smallest; level >= 0; level--) {
      const width = nf * chMult[level]!;
      const blocks = Array.from({ length: numResBlocks + 1 }, () => {
        const resnet = parts.resnet(channels + kept.pop()!, width);
        channels = width;
        return resnet;
      });
      up.push({
        blocks,
        attention: attends(level) ? parts.attention(channels) : undefined,
        collect: parts.output?.(channels),
        up: level > 0 ? parts.up(channels) : undefined,
      });
    }
    this.#up = up;
    this.channels = channels;
  }

  /**
   * x [n,nf,s,s] and the image [n,channels,s,s] for the input pyramid -> features [n,this.channels,s,s] and what the
   * output pyramid collected, if there is one.
   */
  run(
    x: Tensor,
    image: Tensor,
    embedding?: Tensor,
    masks?: DrawSource,
  ): { features: Tensor; collected: Tensor | undefined } {
    const through = (part: Part, h: Tensor) => part.run(h, embedding, masks);
    const kept = [x];
    let h = x;
    let pyramid = image;
    for (const { blocks, change } of this.#down) {
      for (const { resnet, attention } of blocks) {
        h = through(resnet, h);
        if (attention) h = through(attention, h);
        kept.push(h);
      }
      if (!change) continue;
      h = through(change.down, h);
      if (change.join) ({ h, pyramid } = change.join.run(h, pyramid));
      kept.push(h);
    }

    for (const part of this.#middle) h = through(part, h);

    let collected: Tensor | undefined;
    for (const { blocks, attention, collect, up } of this.#up)
      ({ h, collected } = x.engine.scope(() => {
        for (const resnet of blocks) h = through(resnet, concat([h, kept.pop()!], 1));
        if (attention) h = through(attention, h);
        if (collect) ({ h, collected } = collect(h, collected));
        return { h: up ? through(up, h) : h, collected };
      }));
    return { features: h, collected };
  }
}
