import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import { expect, test } from "vitest";
import { toBatch } from "../../data/dataset.ts";
import { imageFolder } from "../../data/image-folder.ts";
import { decodePng } from "../../data/png.ts";
import { jpegFiles } from "./jpeg-files.ts";
import { GREY, PALETTE, pngFile } from "./png-file.ts";
import { complaint, tempFolder } from "./temp-folder.ts";

/** A PNG file of one colour; depth 8 unless told. */
const plain = (colour: number[], { width = 4, height = 4, depth = 8 as 8 | 16 } = {}) => {
  const pixels = Array.from({ length: width * height }, () => colour).flat();
  const data = depth === 16 ? Uint16Array.from(pixels) : Uint8Array.from(pixels);
  return encode({ width, height, channels: colour.length, depth, data });
};

/** The first image's value in each channel, in bytes. */
const colourOf = (png: Uint8Array, channels: number) => {
  const set = imageFolder(tempFolder({ "a.png": png }), { size: 2, channels });
  const image = toBatch(set, [0]);
  return Array.from({ length: channels }, (_, c) => Math.round(image[4 * c]! * 255));
};

/** All bytes of a square image, as grey. */
const greys = (png: Uint8Array, size: number) => {
  const set = imageFolder(tempFolder({ "a.png": png }), { size, channels: 1 });
  return Array.from(toBatch(set, [0]), (value) => Math.round(value * 255));
};

test("files come sorted, out of folders below too; other files are passed over", () => {
  const folder = tempFolder({
    "b.png": plain([2]),
    "a.PNG": plain([1]),
    "notes.txt": "no image",
    ".hidden.png": "no",
  });
  mkdirSync(join(folder, "c"));
  writeFileSync(join(folder, "c", "a.png"), plain([3]));
  const set = imageFolder(folder, { size: 1, channels: 1 });
  expect(Array.from(toBatch(set, [0, 1, 2]), (value) => Math.round(value * 255))).toEqual([1, 2, 3]);
  expect(imageFolder(folder, { size: 1, channels: 1, count: 2 }).count).toBe(2);
});

test.each([
  ["grey", plain([100]), [100, 100, 100]],
  ["RGB", plain([10, 20, 30]), [10, 20, 30]],
  ["grey half seen through", plain([0, 51]), [204, 204, 204]],
  ["RGBA not seen at all", plain([10, 20, 30, 0]), [255, 255, 255]],
  ["RGBA opaque", plain([10, 20, 30, 255]), [10, 20, 30]],
  ["16 bits, seen through in part", plain([65535, 0, 0, 257 * 51], { depth: 16 }), [255, 204, 204]],
  ["16 bits of grey, not a byte's multiple", plain([256 * 100 + 200], { depth: 16 }), [100, 100, 100]],
  ["16 bits", plain([65535, 257 * 128, 0], { depth: 16 }), [255, 128, 0]],
])("%s becomes RGB on white", (_, png, colour) => {
  expect(colourOf(png, 3)).toEqual(colour);
});

test("RGB becomes grey by luma", () => {
  expect(colourOf(plain([255, 0, 0]), 1)).toEqual([76]);
  expect(colourOf(plain([77, 77, 77]), 1)).toEqual([77]);
});

test("packed greys are taken out of their bytes, rows beginning on a byte", () => {
  const size = { width: 3, height: 3 };
  const oneBit = pngFile({ ...size, depth: 1, colourType: GREY }, [
    [0b101_00000],
    [0b010_00000],
    [0b111_00000],
  ]);
  const twoBits = pngFile({ ...size, depth: 2, colourType: GREY }, [
    [0b00_01_10_00],
    [0b11_00_00_00],
    [0b01_01_01_00],
  ]);
  expect(greys(oneBit, 3)).toEqual([255, 0, 255, 0, 255, 0, 255, 255, 255]);
  expect(greys(twoBits, 3)).toEqual([0, 85, 170, 255, 0, 0, 85, 85, 85]);
});

test("palettes are looked up; a colour of theirs may be seen through", () => {
  const header = { width: 2, height: 2, depth: 2, colourType: PALETTE };
  const palette: [string, number[]] = ["PLTE", [10, 10, 10, 20, 20, 20, 30, 30, 30]];
  const rows = [[0b00_01_0000], [0b10_00_0000]];
  expect(greys(pngFile(header, rows, [palette]), 2)).toEqual([10, 20, 30, 10]);
  expect(greys(pngFile(header, rows, [palette, ["tRNS", [255, 0]]]), 2)).toEqual([10, 255, 30, 10]);
});

test("a grey named as transparent is white", () => {
  const header = { width: 2, height: 2, depth: 8, colourType: GREY };
  expect(
    greys(
      pngFile(
        header,
        [
          [10, 20],
          [30, 10],
        ],
        [["tRNS", [0, 10]]],
      ),
      2,
    ),
  ).toEqual([255, 20, 30, 255]);
});

test("an interlaced file is its seven passes, in 8 bits and in 16", () => {
  // In a square of three: (0,0), (2,0), then row 2 by twos, column 1, row 1.
  const passes = [[1], [3], [7, 9], [2], [8], [4, 5, 6]];
  const shape = { width: 3, height: 3, colourType: GREY, interlace: 1 } as const;
  const all = [1, 2, 3, 4, 5, 6, 7, 8, 9];
  expect(greys(pngFile({ ...shape, depth: 8 }, passes), 3)).toEqual(all);
  const wide = passes.map((row) => row.flatMap((v) => [v, v]));
  expect(greys(pngFile({ ...shape, depth: 16 }, wide), 3)).toEqual(all);
});

test("the centred square is taken, and resized by area", () => {
  const data = new Uint8Array(8 * 4); // columns 0 0 | 40 80 120 160 | 0 0
  for (let y = 0; y < 4; y++) data.set([0, 0, 40, 80, 120, 160, 0, 0], 8 * y);
  const png = encode({ width: 8, height: 4, channels: 1, depth: 8, data });
  const values = (size: number) => {
    const set = imageFolder(tempFolder({ "a.png": png }), { size, channels: 1 });
    return Array.from(toBatch(set, [0]).subarray(0, size), (value) => Math.round(value * 255));
  };
  expect(values(4)).toEqual([40, 80, 120, 160]);
  expect(values(2)).toEqual([60, 140]);
  expect(values(3)).toEqual([50, 100, 150]); // (40 + 80/3) / (4/3), and so on
  expect(values(8)).toEqual([40, 40, 80, 80, 120, 120, 160, 160]);
});

test("a smaller square may be taken, and another filter; CelebA's 140 of 178 x 218 begins at 19, 39", () => {
  const [width, height] = [178, 218];
  const data = Uint8Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    return x >= 19 && x < 159 && y >= 39 && y < 179 ? 100 : 250;
  });
  const folder = tempFolder({ "a.png": encode({ width, height, channels: 1, depth: 8, data }) });
  const bytes = (crop: number, size: number, resize: "bilinear" | "area") =>
    Array.from(toBatch(imageFolder(folder, { size, channels: 1, crop, resize }), [0]), (v) =>
      Math.round(255 * v),
    );
  expect(new Set(bytes(140, 64, "bilinear"))).toEqual(new Set([100]));
  const wider = bytes(142, 142, "area"); // one more pixel on each side
  expect(wider.filter((v) => v === 250).length).toBe(142 ** 2 - 140 ** 2);
});

test("JPEG files are read, whatever their ending", () => {
  const file = Buffer.from(jpegFiles["grey"]!.file, "base64");
  const folder = tempFolder({ "a.jpg": file, "b.JPEG": file, "c.png": file });
  const set = imageFolder(folder, { size: 11, channels: 1 });
  expect(set.count).toBe(3);
  const pixels = Buffer.from(jpegFiles["grey"]!.pixels, "base64");
  for (const i of [0, 1, 2]) {
    const image = toBatch(set, [i]);
    for (let p = 0; p < 121; p++) {
      const expected = pixels[3 * (Math.floor(p / 11) * 19 + 4 + (p % 11))]!;
      expect(Math.abs(255 * image[p]! - expected)).toBeLessThan(2.5);
    }
  }
});

const complain = (files: Record<string, Uint8Array | string>) => {
  const folder = tempFolder(files);
  return complaint(folder, () => imageFolder(folder));
};

test("says which file is wrong, and how to mend it", () => {
  const whole = plain([10, 20, 30], { width: 40, height: 40 });
  expect(complain({})).toMatchInlineSnapshot(
    `"UsageError: image folder: got no files in FOLDER, expected PNG or JPEG files; check the path"`,
  );
  expect(complain({ "a.gif": "x", "b.gif": "y" })).toMatchInlineSnapshot(
    `"UsageError: image folder: got 2 files in FOLDER, the first a.gif, none of them PNG or JPEG, expected PNG or JPEG files; convert the images"`,
  );
  expect(
    complain({ "a.png": whole, "b.png": Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0) }),
  ).toMatchInlineSnapshot(
    `"UsageError: image folder: got FOLDER/b.png of 6 bytes, expected a whole JPEG file (unknown JPEG marker 0); copy it again or take it out of the folder"`,
  );
  expect(complain({ "a.png": "" })).toMatchInlineSnapshot(
    `"UsageError: image folder: got FOLDER/a.png of 0 bytes beginning with nothing, expected a PNG (89 50 4e 47) or JPEG (ff d8 ff) file; convert it or take it out of the folder"`,
  );
  expect(complain({ "a.png": whole.subarray(0, 60) })).toMatchInlineSnapshot(
    `"UsageError: image folder: got FOLDER/a.png of 60 bytes, expected a whole PNG file (Error while decompressing the data); copy it again or take it out of the folder"`,
  );
  const folder = tempFolder();
  expect(complaint(folder, () => imageFolder(join(folder, "nowhere")))).toMatchInlineSnapshot(
    `"UsageError: image folder: cannot list FOLDER/nowhere (no such file or folder), expected a folder; check the path"`,
  );
  expect(complaint(folder, () => imageFolder(folder, { size: 0 }))).toMatchInlineSnapshot(
    `"UsageError: image folder: got size 0, expected a whole number of pixels; 28, 32 and 64 are usual"`,
  );
  const small = tempFolder({ "a.png": whole });
  expect(complaint(small, () => imageFolder(small, { crop: 41 }))).toMatchInlineSnapshot(
    `"UsageError: image folder: got FOLDER/a.png of 40x40, expected at least 41x41, the crop; lower data.crop or take the file out of the folder"`,
  );
  expect(complaint(folder, () => imageFolder(folder, { crop: 0 }))).toMatchInlineSnapshot(
    `"UsageError: image folder: got crop 0, expected a whole number of pixels; 140 is usual for CelebA"`,
  );
  expect(complaint(folder, () => imageFolder(folder, { resize: "cubic" as "area" }))).toMatchInlineSnapshot(
    `"UsageError: image folder: got resize "cubic", expected area, bilinear, bicubic"`,
  );
  expect(complaint(folder, () => imageFolder(folder, { channels: 4 }))).toMatchInlineSnapshot(
    `"UsageError: image folder: got channels 4, expected 1 (grey) or 3 (RGB); leave it out for the set's own"`,
  );
});

test("what else a cut file's buffer holds is not read", () => {
  const whole = plain([10, 20, 30], { width: 40, height: 40 });
  expect(() => decodePng(whole.subarray(0, 60))).toThrow("Error while decompressing");
});

test("a file that is none though its parts are whole is a complaint", () => {
  const shape = { width: 3, height: 1, depth: 8, colourType: GREY };
  const said = (png: Uint8Array) => /\((.*)\); copy it again/.exec(complain({ "a.png": png }))?.[1];
  expect(said(pngFile({ ...shape, width: 0 }, [[]]))).toBe("0x1 pixels");
  expect(said(pngFile({ ...shape, colourType: PALETTE }, [[0, 1, 2]]))).toBe(
    "a palette's indices without the palette",
  );
  // fast-png takes a byte for each sample, which these three pixels have by chance.
  expect(said(pngFile({ ...shape, depth: 1, interlace: 1 }, [[0x80], [0x80], [0]]))).toBe(
    "interlaced samples of less than a byte, which are not known here; save it otherwise",
  );
});

test("a file cut anywhere, or with a bit turned, is a complaint and never an image", () => {
  const whole = plain([10, 20, 30], { width: 9, height: 9 });
  for (let length = 0; length < whole.length; length += 3) {
    expect(complain({ "a.png": whole.subarray(0, length) })).toMatch(
      /^UsageError: image folder: got FOLDER\/a\.png/,
    );
  }
  const turned = whole.slice();
  turned[whole.length - 20]! ^= 4;
  expect(complain({ "a.png": turned })).toMatch(/CRC mismatch/);
});
