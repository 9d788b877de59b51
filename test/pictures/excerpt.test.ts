import { expect, test } from "vitest";
import { excerpt } from "../../cli/pictures/excerpt.ts";
import { animation } from "../../cli/pictures/gif.ts";

/** A frame of n images whose values tell image and frame apart. */
const frame = (n: number, size: number, moment: number) =>
  Float32Array.from({ length: n * size }, (_, i) => Math.floor(i / size) + moment / 100);

const film = (n: number, size: number, moments = 49) =>
  Array.from({ length: moments }, (_, moment) => frame(n, size, moment));

test("of many small images the first 16, at every moment, beside what is seen in them", () => {
  const [frames, denoised] = [film(64, 16), film(64, 16)];
  const shown = excerpt(frames, denoised, { c: 1, h: 4, w: 4 });
  expect(shown).toMatchObject({ n: 16, c: 1, h: 4, w: 4, scale: 2 });
  expect(shown.frames).toEqual(film(16, 16));
  expect(shown.beside).toEqual(shown.frames);
});

test.each([
  [6, 1, 8, 6, 49],
  [20, 3, 32, 16, 48],
  [5, 1, 64, 4, 48],
  [1, 1, 256, 1, 12],
])("of %i images %ix%i squared: %i, at %i moments, the ends among them", (n, c, h, images, moments) => {
  const frames = film(n, c * h * h);
  const shown = excerpt(frames, undefined, { c, h, w: h });
  expect(shown.n).toBe(images);
  expect(shown.frames).toHaveLength(moments);
  for (const f of shown.frames) expect(f.length).toBe(images * c * h * h);
  expect([shown.frames[0]![0], shown.frames.at(-1)![0]]).toEqual([frames[0]![0], frames.at(-1)![0]]);
  expect(shown.beside).toBe(undefined);
});

test("digits that come out of noise, and what is seen in them, take 3 MB at most", () => {
  let state = 1;
  const uniform = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
  const fading = (amount: number) =>
    Array.from({ length: 49 }, (_, moment) =>
      Float32Array.from({ length: 16 * 784 }, () => 0.5 + amount * 0.01 ** (moment / 48) * (uniform() - 0.5)),
    );
  const { frames, ...options } = excerpt(fading(2), fading(0.5), { c: 1, h: 28, w: 28 });
  expect(animation(frames, options).length).toBeLessThan(3e6);
});
