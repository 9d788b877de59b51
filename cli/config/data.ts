import { z } from "zod";
import { imageSetNames } from "../../data/index.ts";
import { filterNames } from "../../data/resize.ts";
import { most } from "../limits.ts";
import { count, countTo, flag, number, section, seed } from "./values.ts";

/** The images. */
export const data = section({
  name: z.enum(imageSetNames).default("digits"),
  path: z.string({ error: "expected the path of a folder" }).optional(),
  count: count.optional(),
  seed: seed.optional(),
  size: countTo(most.side).optional(),
  channels: number("1 (grey) or 3 (RGB)", (n) => n === 1 || n === 3).optional(),
  /** Side of the centred square that is taken of each file of a folder. */
  crop: countTo(most.crop).optional(),
  /** How the files of a folder are resized; area unless given. */
  resize: z.enum(filterNames).optional(),
  /** Decode a folder's files while training; so it is for more than 2,000 files unless given. */
  stream: flag.optional(),
  /** MiB of images held of a streamed folder; 1024 unless given. */
  memory: count.optional(),
  /** Images kept from training to measure against. */
  heldBack: count.default(1000),
  /** Turn over every other image while training, at random. */
  flip: flag.optional(),
  /** Spread each of the 256 values over its own width while training. */
  uniformDequantization: flag.optional(),
  /** The network sees images in [-1, 1]. */
  centered: flag.optional(),
});
