import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { decode, encode } from "fast-png";
import { afterAll, describe, expect, test } from "vitest";
import type { CheckReport } from "../../data/check.ts";
import { newFolder, removeFolders, steinHere } from "../cli/stein.ts";
import { jpegFiles } from "./jpeg-files.ts";

const png = (shade: number) =>
  encode({ width: 9, height: 9, channels: 1, depth: 8, data: new Uint8Array(81).fill(shade) });
const jpeg = Buffer.from(jpegFiles["chroma halved both ways"]!.file, "base64");

describe("stein data", () => {
  afterAll(removeFolders);

  test("check: a report, and exit code 0 where all is well", async () => {
    const cwd = newFolder({ "a.png": png(1), "b.jpg": jpeg });
    const { code, stdout, complaints } = await steinHere(["data", "check", "."], { cwd });
    expect(stdout).toBe("1 image of 9x9x1\n1 image of 19x11x3\n.: a folder of images, 2 images, no faults\n");
    expect(code).toBe(0);
    expect(complaints).toEqual([expect.stringMatching(/^checking files 2\/2 \(100 %\)/)]);
  });

  test("check: more than five sizes, and one fault", async () => {
    const wide = (width: number) =>
      encode({ width, height: 1, channels: 1, depth: 8, data: new Uint8Array(width) });
    const widths = [1, 2, 3, 4, 5, 6].map((width) => [`${width}.png`, wide(width)] as const);
    const cwd = newFolder({ ...Object.fromEntries(widths), "z.png": "no" });
    const { code, stdout } = await steinHere(["data", "check", "."], { cwd });
    expect(stdout.split("\n").slice(5, -1)).toEqual([
      "and 1 other size",
      "bad: z.png",
      ".: a folder of images, 6 images, 1 fault",
    ]);
    expect(code).toBe(2);
  });

  test("check --json: the report for machines, the first bad file in one line, exit code 2", async () => {
    const cwd = newFolder({ "a.png": png(1), "b.jpg": jpeg.subarray(0, 300), "c.png": "no" });
    const { code, stdout, complaints } = await steinHere(["data", "check", ".", "--json"], { cwd });
    const report = JSON.parse(stdout) as CheckReport;
    expect([report.images, report.faults.map(({ file }) => file)]).toEqual([1, ["b.jpg", "c.png"]]);
    expect(complaints.slice(1)).toEqual([
      "stein: image folder: got b.jpg of 300 bytes, expected a whole JPEG file (it ends too early); " +
        "copy it again or take it out of the folder (and 1 more, see --json)",
    ]);
    expect(code).toBe(2);
  });

  test("show: a picture of a streamed folder's images", async () => {
    const cwd = newFolder({ "a.png": png(50), "b.png": png(100), "c.png": png(150) });
    const args = ["data", "show", ".", "--n", "2", "--size", "3", "--crop", "6", "--channels", "1"];
    const { code, stdout, complaints } = await steinHere([...args, "--out", "out/grid.png"], { cwd });
    expect([code, complaints]).toEqual([0, []]);
    expect(stdout).toBe("out/grid.png: 2 of 3 images 1x3x3\n");
    const { width, height, data } = decode(readFileSync(join(cwd, "out/grid.png")));
    expect([width, height]).toEqual([12, 7]); // gaps of 2
    const shades = [data[2 * 12 + 2], data[2 * 12 + 7]];
    for (const shade of shades) expect([50, 100, 150]).toContain(shade);
    expect(new Set(shades).size).toBe(2);
  });

  test("show refuses what it cannot show", async () => {
    const cwd = newFolder({ "a.png": png(50) });
    const complaint = async (...args: string[]) => {
      const { code, complaints } = await steinHere(["data", "show", ...args], { cwd });
      expect(code).toBe(2);
      return complaints;
    };
    expect(await complaint(".", "--n", "2")).toEqual([
      "stein: data: got --n 2, expected at most 1, the images in .; lower --n",
    ]);
    expect(await complaint(".", "--n", "1", "--crop", "10")).toEqual([
      "stein: image folder: got a.png of 9x9, expected at least 10x10, the crop; " +
        "lower data.crop or take the file out of the folder",
    ]);
    expect(await complaint("nowhere")).toEqual([
      "stein: data: cannot list nowhere (no such file or folder), expected a folder; check the path",
    ]);
  });

  test("fetch: without a server one line says what, why and where to put the file", async () => {
    const cwd = newFolder();
    const args = ["data", "fetch", "mnist", "--from", "http://127.0.0.1:9/"];
    const { code, complaints } = await steinHere(args, { cwd });
    expect(complaints.length).toBe(1);
    expect(complaints[0]).toMatch(
      /^stein: fetch: cannot reach http:\/\/127\.0\.0\.1:9\/train-images-idx3-ubyte\.gz \(.+\), expected a connection; check the network, give another --from, or put the file into datasets\/mnist by hand$/,
    );
    expect(code).toBe(2);
    expect((await steinHere(["data", "fetch", "mnits"], { cwd })).code).toBe(2);
  });

  test("fetch: a file in the place of a folder is told before any connection", async () => {
    const cwd = newFolder({ file: "", "data/cifar-10-batches-bin": "" });
    const complaint = async (...args: string[]) => {
      const from = ["--from", "http://127.0.0.1:9/"];
      const { code, complaints } = await steinHere(["data", "fetch", ...args, ...from], { cwd });
      expect(code).toBe(2);
      return complaints.map((line) => line.replace(cwd, "CWD"));
    };
    expect(await complaint("mnist", "--to", "file")).toEqual([
      "stein: fetch: got --to file, which is a file, expected a folder; give another --to",
    ]);
    expect(await complaint("cifar10", "--to", "data")).toEqual([
      "stein: fetch: got --to data, but CWD/data/cifar-10-batches-bin is a file, expected a folder; give another --to",
    ]);
  });

  test("fetch: a wrong file is thrown away", async () => {
    const server = createServer((_, response) => response.end("not MNIST"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const cwd = newFolder();
    const from = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { code, complaints } = await steinHere(["data", "fetch", "mnist", "--from", from, "--to", "here"], {
      cwd,
    });
    server.closeAllConnections();
    server.close();
    expect(complaints.at(-1)).toMatch(
      /^stein: fetch: got a file with MD5 [0-9a-f]{32} from .+, expected f68b3c2d/,
    );
    expect(code).toBe(2);
    expect(existsSync(join(cwd, "here/train-images-idx3-ubyte.gz"))).toBe(false);
  });
});
