import { join } from "node:path";
import { encode } from "fast-png";
import { afterAll, expect, test } from "vitest";
import { type ImageSet, order, split, toBatch } from "../../data/dataset.ts";
import { imageFolder } from "../../data/image-folder.ts";
import { lookAhead } from "../../data/look-ahead.ts";
import { type StreamedSet, streamed } from "../../data/streamed.ts";
import { Batches } from "../../train/batches.ts";
import { jpegFiles } from "./jpeg-files.ts";
import { tempFolder } from "./temp-folder.ts";

const COUNT = 60;
const SIZE = 6;
const BYTES = 3 * SIZE * SIZE;

/** PNG files of 9 x 8 pixels, each of its own colours. */
const pngs = Object.fromEntries(
  Array.from({ length: COUNT }, (_, n) => {
    const data = Uint8Array.from({ length: 3 * 72 }, (_, i) => (n * 37 + i * (n + 3)) % 256);
    return [
      `${String(n).padStart(3, "0")}.png`,
      encode({ width: 9, height: 8, channels: 3, depth: 8, data }),
    ];
  }),
);

const open: StreamedSet[] = [];
afterAll(() => Promise.all(open.map((set) => set.close())));

function stream(
  files: Record<string, Uint8Array | string>,
  { images = 40, threads = 1 }: { images?: number; threads?: number } = {},
): StreamedSet {
  const paths = Object.keys(files).sort();
  const preparation = { size: SIZE, channels: 3, crop: 7, resize: "bilinear" } as const;
  const set = streamed(tempFolder(files), paths, preparation, { memory: images * BYTES, threads });
  open.push(set);
  return set;
}

let inMemory: ImageSet | undefined;
/** The same images, read at once. */
const eager = (): ImageSet =>
  (inMemory ??= imageFolder(tempFolder(pngs), { size: SIZE, crop: 7, resize: "bilinear", stream: false }));
const all = Uint32Array.from({ length: COUNT }, (_, i) => i);

test("images are those of a folder read at once, asked for ahead or not, whichever of three threads is first", () => {
  const set = stream(pngs, { threads: 3 });
  const out = new Float32Array(BYTES);
  set.image(17, out, 0); // untold
  expect(out).toEqual(toBatch(eager(), [17]));
  expect(toBatch(set, all)).toEqual(toBatch(eager(), all));
  expect(toBatch(set, all.toReversed())).toEqual(toBatch(eager(), all.toReversed()));
});

test("no more images are held than there is room for; the first that were read stay", () => {
  const set = stream(pngs, { images: 16 });
  for (let epoch = 0; epoch < 3; epoch++)
    for (const i of order(1, epoch, COUNT)) {
      set.expect(order(1, epoch, COUNT)); // all of them: only as many are taken as there is room for
      expect(toBatch(set, [i])).toEqual(toBatch(eager(), [i]));
    }
  const { peak, held } = set.stats();
  expect(held).toBeGreaterThanOrEqual(12);
  expect(peak).toBeLessThanOrEqual(16);
  const before = set.stats().waited;
  toBatch(set, order(1, 0, COUNT).subarray(0, 12)); // three quarters of 16
  expect(set.stats().waited).toBe(before);

  set.expect([0, 1, 2, 3]); // and then others are read: these do not block them
  for (const i of [50, 51, 52, 53, 54, 3]) expect(toBatch(set, [i])).toEqual(toBatch(eager(), [i]));
});

test("what was told of is there when it is wanted: nothing is waited for", async () => {
  const set = stream(pngs, { images: 200 });
  set.expect(all.subarray(0, 20));
  const patience = performance.now() + 20_000;
  while (set.stats().decoded < 20 && performance.now() < patience) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    set.expect([]); // takes in what is done
  }
  const { waited } = set.stats();
  for (const i of all.subarray(0, 20)) set.image(i, new Float32Array(BYTES), 0);
  expect(set.stats().waited).toBe(waited);
  expect(set.stats().decoded).toBe(20);
});

test("a damaged file is told when it is read, with its name, again and again; the others are read", () => {
  const set = stream({ ...pngs, "010.png": pngs["010.png"]!.subarray(0, 60), "020.png": "no image" });
  set.expect(all);
  expect(() => toBatch(set, [10])).toThrow(/010\.png of 60 bytes, expected a whole PNG file/);
  expect(() => toBatch(set, [10])).toThrow(/010\.png of 60 bytes/);
  expect(() => toBatch(set, [20])).toThrow(/020\.png of 8 bytes beginning with 6e 6f 20 69/);
  expect(toBatch(set, [11])).toEqual(toBatch(eager(), [11]));
});

test("memory for too few images is refused", () => {
  expect(() => stream(pngs, { images: 7 })).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: image folder: got memory for 7 images of 108 bytes, expected at least 8; raise data.memory]`,
  );
});

test("a part of the set tells the whole what it expects, in the whole's own numbers", () => {
  const { train, heldBack } = split(stream(pngs, { images: 400 }), { heldBack: 10 });
  const [wanted, same] = [train, split(eager(), { heldBack: 10 }).train].map((set) =>
    toBatch(set, order(3, 0, set.count)),
  );
  expect(wanted).toEqual(same);
  expect(open.at(-1)!.stats().decoded).toBe(50);
  toBatch(heldBack, [0, 9]);
  expect(open.at(-1)!.stats().decoded).toBe(52);
});

test("looking ahead tells of each step once, in order, and begins anew after a jump; a resumed run reads the same", () => {
  const batches = new Batches({ count: COUNT, size: 7, seed: 5, order });
  const told: number[][] = [];
  const spy = { ...eager(), expect: (indices: ArrayLike<number>) => void told.push(Array.from(indices)) };
  const steps = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, k) => Array.from(batches.images(from + k)));
  const ahead = lookAhead(spy, (step) => batches.images(step), 3);
  ahead(0);
  expect(told.splice(0)).toEqual(steps(0, 4));
  ahead(0);
  ahead(1);
  ahead(2);
  expect(told.splice(0)).toEqual(steps(4, 6));
  ahead(100);
  expect(told.splice(0)).toEqual(steps(100, 104));
  ahead(20); // back, as after a roll-back
  expect(told.splice(0)).toEqual(steps(20, 24));

  const read = (set: StreamedSet, from: number, to: number) => {
    const tell = lookAhead(set, (step) => batches.images(step));
    return Array.from({ length: to - from }, (_, k) => {
      tell(from + k);
      return toBatch(set, batches.images(from + k));
    });
  };
  const unbroken = read(stream(pngs, { images: 64, threads: 2 }), 0, 20);
  expect(read(stream(pngs, { images: 40, threads: 1 }), 12, 20)).toEqual(unbroken.slice(12));
  expect(unbroken[7]).toEqual(toBatch(eager(), batches.images(7)));
});

test("a folder streams when it is told to, JPEG files too", () => {
  const folder = tempFolder({ "a.jpg": Buffer.from(jpegFiles["progressive"]!.file, "base64") });
  const [now, later] = [false, true].map((stream) => imageFolder(folder, { size: 8, stream, memory: 1 }));
  open.push(later as StreamedSet);
  expect(toBatch(later!, [0])).toEqual(toBatch(now!, [0]));
  expect(later!.expect).toBeDefined();
  expect(now!.expect).toBeUndefined();
  expect(() => imageFolder(join(folder, "nowhere"), { stream: true })).toThrow(/cannot list/);
});
