import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { readAnyConfig } from "../../cli/config.ts";
import { download } from "../../cli/fetch/download.ts";
import { fetchSet } from "../../cli/fetch/fetch-set.ts";
import { homeOf, type Source, type SourceName, sourceNames, sources } from "../../cli/fetch/sources.ts";
import { FETCHING, lockRun } from "../../cli/run-lock.ts";
import { UsageError } from "../../engine/errors.ts";
import { tempFolder } from "./temp-folder.ts";

const content = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, i) => (i * i + (i >> 8)) % 251));
const md5Of = (bytes: Uint8Array) => createHash("md5").update(bytes).digest("hex");
const md5 = md5Of(content);

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** Serves on 127.0.0.1; gives the address of its root, and each request's range as it came. */
async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, n: number) => void,
): Promise<{ address: string; ranges: (string | undefined)[] }> {
  const ranges: (string | undefined)[] = [];
  server = createServer((request, response) => {
    ranges.push(request.headers.range);
    answer(request, response, ranges.length);
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, ranges };
}

/** Sends what is asked for, as a server with ranges does; no more than `most` bytes, then the connection is cut. */
function send(request: IncomingMessage, response: ServerResponse, body: Uint8Array, most = Infinity): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  if (from >= body.length) {
    response.writeHead(416, { "content-range": `bytes */${body.length}` }).end();
    return;
  }
  const rest = body.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, {
    "content-length": rest.length,
    ...(from > 0 && { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` }),
  });
  if (rest.length <= most) response.end(rest);
  else response.write(rest.subarray(0, most), () => setTimeout(() => response.destroy(), 20));
}

/** The one line a download ends with, the port and the folder put away. */
async function complaintOf(running: Promise<unknown>, folder: string): Promise<string> {
  const fault = await running.then(
    () => "no complaint",
    (cause: unknown) => cause,
  );
  expect(fault).toBeInstanceOf(UsageError);
  return (fault as Error).message.replaceAll(folder, "FOLDER").replace(/127\.0\.0\.1:\d+/g, "SERVER");
}

describe("a download", () => {
  test("comes whole, tells its progress, and leaves nothing beside", async () => {
    const { address, ranges } = await serve((request, response) => send(request, response, content));
    const path = join(tempFolder(), "sub", "file.bin");
    const told: [number, number | undefined][] = [];
    await download({ url: `${address}file.bin`, path, md5, onProgress: (...args) => told.push(args) });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(existsSync(`${path}.part`)).toBe(false);
    expect(told[0]).toEqual([0, content.length]);
    expect(told.at(-1)).toEqual([content.length, content.length]);
    expect(ranges).toEqual([undefined]);
  });

  test("goes on by a range where an earlier one ended", async () => {
    const { address, ranges } = await serve((request, response) => send(request, response, content));
    const folder = tempFolder({ "file.bin.part": content.subarray(0, 70_000) });
    const told: number[] = [];
    const path = join(folder, "file.bin");
    await download({ url: `${address}file.bin`, path, md5, onProgress: (done) => told.push(done) });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(ranges).toEqual(["bytes=70000-"]);
    expect(told[0]).toBe(70_000);
  });

  test("goes on by itself when the connection is cut, as often as something new comes", async () => {
    const { address, ranges } = await serve((request, response) => send(request, response, content, 45_000));
    const path = join(tempFolder(), "file.bin");
    await download({ url: `${address}file.bin`, path, md5 });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(ranges.length).toBeGreaterThanOrEqual(5); // 200,000 bytes, 45,000 a connection
    expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ""))).toBe(true);
  });

  test("begins anew where the server knows no ranges, or the part is longer than the file", async () => {
    const { address, ranges } = await serve((_, response) => response.end(content));
    const folder = tempFolder({ "file.bin.part": "of something else" });
    await download({ url: `${address}file.bin`, path: join(folder, "file.bin"), md5 });
    expect(ranges.length).toBe(1);
    expect(readFileSync(join(folder, "file.bin")).equals(content)).toBe(true);

    server!.close();
    const other = await serve((request, response) => send(request, response, content));
    const longer = tempFolder({ "file.bin.part": Buffer.concat([content, content]) });
    await download({ url: `${other.address}file.bin`, path: join(longer, "file.bin"), md5 });
    expect(readFileSync(join(longer, "file.bin")).equals(content)).toBe(true);
    expect(other.ranges).toEqual(["bytes=400000-", undefined]);
  });

  test("a part that is whole already only needs its name", async () => {
    const { address, ranges } = await serve((request, response) => send(request, response, content));
    const folder = tempFolder({ "file.bin.part": content });
    await download({ url: `${address}file.bin`, path: join(folder, "file.bin"), md5 });
    expect(ranges).toEqual(["bytes=200000-"]);
    expect(readFileSync(join(folder, "file.bin")).equals(content)).toBe(true);
  });

  test("with another sum is thrown away; the file that was there stays", async () => {
    const { address } = await serve((_, response) => response.end("<!doctype html>"));
    const folder = tempFolder({ "file.bin": "old" });
    const running = download({ url: `${address}file.bin`, path: join(folder, "file.bin"), md5 });
    expect(await complaintOf(running, folder)).toMatchInlineSnapshot(
      `"fetch: got a file with MD5 f45451f4d07ca1f5bab9ed278e880c5f from http://SERVER/file.bin, expected 794ae699cf55c883a4efa4e8b458d023; it was damaged on the way or is another one: try again, or give another --from"`,
    );
    expect(existsSync(join(folder, "file.bin.part"))).toBe(false);
    expect(readFileSync(join(folder, "file.bin"), "utf8")).toBe("old");
  });

  test("that breaks off again and again is given up, and its part kept", async () => {
    const { address, ranges } = await serve((request, response, n) => {
      if (n === 1) send(request, response, content, 45_000);
      else response.destroy();
    });
    const folder = tempFolder();
    const running = download({ url: `${address}file.bin`, path: join(folder, "file.bin"), md5 });
    expect(await complaintOf(running, folder)).toMatch(
      /^fetch: cannot reach http:\/\/SERVER\/file\.bin \(UND_ERR_SOCKET\), expected a connection; /,
    );
    expect(ranges.length).toBeGreaterThan(1);
    const part = readFileSync(join(folder, "file.bin.part"));
    expect(part.equals(content.subarray(0, part.length))).toBe(true);
    expect(part.length).toBeGreaterThan(0);
  });

  test("that brings nothing more is given up after some tries", async () => {
    const { address, ranges } = await serve((_, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.flushHeaders();
      setTimeout(() => response.destroy(), 20);
    });
    const folder = tempFolder();
    const running = download({ url: `${address}file.bin`, path: join(folder, "file.bin"), md5 });
    expect(await complaintOf(running, folder)).toMatch(
      /^fetch: the connection to http:\/\/SERVER\/file\.bin broke off at 0 bytes, again and again \(.+\), expected the whole file; the same command goes on from there$/,
    );
    expect(ranges.length).toBe(3);
  });

  test("of a server that falls silent ends", async () => {
    const { address } = await serve((_, response) => {
      response.writeHead(200, { "content-length": content.length });
      response.write(content.subarray(0, 10)); // and no more
    });
    const folder = tempFolder();
    const job = { url: `${address}file.bin`, path: join(folder, "file.bin"), md5, patience: 150 };
    expect(await complaintOf(download(job), folder)).toMatch(/again and again \(nothing came for a while\)/);
  });

  test("that is not there, and a server that is not, are told in a line with a way out", async () => {
    const { address } = await serve((_, response) => response.writeHead(404).end("no"));
    const folder = tempFolder();
    const job = { url: `${address}file.bin`, path: join(folder, "file.bin"), md5 };
    expect(await complaintOf(download(job), folder)).toMatchInlineSnapshot(
      `"fetch: http://SERVER/file.bin answered 404 Not Found, expected the file; give another --from, or put the file into FOLDER by hand"`,
    );
    server!.closeAllConnections();
    await new Promise((resolve) => server!.close(resolve));
    expect(await complaintOf(download(job), folder)).toMatchInlineSnapshot(
      `"fetch: cannot reach http://SERVER/file.bin (ECONNREFUSED), expected a connection; check the network, give another --from, or put the file into FOLDER by hand"`,
    );
    expect(existsSync(join(folder, "file.bin.part"))).toBe(false);
  });

  test("of nothing is told: no range in an empty file, no content, an empty file", async () => {
    const answers = [
      (response: ServerResponse) => response.writeHead(416, { "content-range": "bytes */0" }).end(),
      (response: ServerResponse) => response.writeHead(204).end(),
      (response: ServerResponse) => response.writeHead(200, { "content-length": 0 }).end(),
    ];
    const { address } = await serve((_, response, n) => answers[n - 1]!(response));
    const folder = tempFolder();
    const job = { url: `${address}file.bin`, path: join(folder, "file.bin"), md5 };
    const mend = "expected the file; give another --from, or put the file into FOLDER by hand";
    expect(await complaintOf(download(job), folder)).toBe(
      `fetch: http://SERVER/file.bin answered 416 Range Not Satisfiable, ${mend}`,
    );
    expect(await complaintOf(download(job), folder)).toBe(
      `fetch: http://SERVER/file.bin answered 204 No Content, ${mend}`,
    );
    expect(await complaintOf(download(job), folder)).toMatch(/^fetch: got a file with MD5 d41d8cd98f00/);
  });

  test("with a folder in its place, or its part's, is told before any connection", async () => {
    for (const name of ["file.bin", "file.bin.part"]) {
      const folder = tempFolder();
      mkdirSync(join(folder, name));
      const job = { url: "http://127.0.0.1:9/file.bin", path: join(folder, "file.bin"), md5 };
      expect(await complaintOf(download(job), folder)).toBe(
        `fetch: got FOLDER/${name}, which is a folder, expected a file or nothing there; move it away`,
      );
    }
  });

  test("into a place that cannot be written is told", async () => {
    const { address } = await serve((request, response) => send(request, response, content));
    const folder = tempFolder({ file: "in the way" });
    const job = { url: `${address}a.bin`, path: join(folder, "file", "a.bin"), md5 };
    expect(await complaintOf(download(job), folder)).toMatchInlineSnapshot(
      `"fetch: cannot write FOLDER/file/a.bin (EEXIST), expected a writable place; check the folder and its space"`,
    );
  });
});

/** A plain file in a ustar archive. */
function tarEntry(name: string, body: Uint8Array): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write(body.length.toString(8).padStart(11, "0"), 124);
  header.write("0", 156);
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

const batches = ["data_batch_1.bin", "test_batch.bin"];
const bodies = batches.map((_, n) => content.subarray(1000 * n, 1000 * n + 3073));

function archiveSource(names: readonly string[]): { source: Source; archive: Buffer } {
  const entries = names.map((name) =>
    tarEntry(`cifar-10-batches-bin/${name}`, bodies[batches.indexOf(name)]!),
  );
  const archive = gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));
  const source: Source = {
    from: "http://127.0.0.1:1/",
    files: [{ name: "a.tar.gz", md5: md5Of(archive), bytes: archive.length }],
    unpacks: { folder: "cifar-10-batches-bin", names: batches, bytes: 3073 },
  };
  return { source, archive };
}

test("sets are brought to where the configurations of the package look for them", () => {
  const folder = new URL("../../configs/", import.meta.url);
  const names = (readdirSync(folder, { recursive: true }) as string[]).filter((name) =>
    name.endsWith(".yaml"),
  );
  const looked = sourceNames.map(() => 0);
  for (const name of names) {
    const { data } = readAnyConfig(new URL(name.replaceAll("\\", "/"), folder).pathname);
    const n = sourceNames.indexOf(data.name as SourceName);
    if (n < 0) continue;
    looked[n]!++;
    expect(data.path, name).toBe(homeOf(sourceNames[n]!));
  }
  expect(Math.min(...looked)).toBeGreaterThan(0);
});

describe("a set", () => {
  test("is brought from another address, file by file; what is there and right is left alone", async () => {
    const files = { "a.gz": content, "b.gz": content.subarray(0, 500) };
    const asked: string[] = [];
    const { address } = await serve((request, response) => {
      asked.push(request.url!);
      send(request, response, files[request.url!.split("/").at(-1) as "a.gz"]);
    });
    const source: Source = {
      from: "http://127.0.0.1:1/",
      files: Object.entries(files).map(([name, bytes]) => ({ name, md5: md5Of(bytes), bytes: bytes.length })),
    };
    const to = tempFolder({ "b.gz": "cut short" });
    const from = `${address}mirror/mnist`; // without a slash at its end
    expect((await fetchSet(source, { to, from })).map(({ brought }) => brought)).toEqual([true, true]);
    expect(asked).toEqual(["/mirror/mnist/a.gz", "/mirror/mnist/b.gz"]);
    for (const [name, bytes] of Object.entries(files))
      expect(readFileSync(join(to, name)).equals(bytes)).toBe(true);
    expect((await fetchSet(source, { to, from })).map(({ brought }) => brought)).toEqual([false, false]);
    writeFileSync(
      join(to, "a.gz"),
      content.map((byte, i) => (i === 5 ? byte ^ 1 : byte)),
    ); // a bit turned
    expect((await fetchSet(source, { to, from })).map(({ brought }) => brought)).toEqual([true, false]);
    expect(asked.length).toBe(3);
  });

  test("in an archive is unpacked, the archive taken away; once unpacked, no connection is made", async () => {
    const { source, archive } = archiveSource(batches);
    const { address, ranges } = await serve((request, response) => send(request, response, archive));
    const to = tempFolder();
    const fetched = await fetchSet(source, { to, from: address });
    expect(fetched.map(({ file }) => file)).toEqual(
      batches.map((name) => join(to, "cifar-10-batches-bin", name)),
    );
    for (const [n, { file }] of fetched.entries()) expect(readFileSync(file).equals(bodies[n]!)).toBe(true);
    expect(existsSync(join(to, "a.tar.gz"))).toBe(false);
    await fetchSet(source, { to, from: address });
    expect(ranges.length).toBe(1);
  });

  test("that is whole is left alone, though another process fetches there; others are refused", async () => {
    const { source, archive } = archiveSource(batches);
    const { address } = await serve((request, response) => send(request, response, archive));
    const [whole, empty] = [tempFolder(), tempFolder()];
    await fetchSet(source, { to: whole, from: address });
    using _ = await lockRun("fetch", whole, FETCHING);
    using __ = await lockRun("fetch", empty, FETCHING);
    expect((await fetchSet(source, { to: whole })).map(({ brought }) => brought)).toEqual([false, false]);
    expect(await complaintOf(fetchSet(source, { to: empty }), empty)).toMatch(
      /^fetch: process \d+ fetches into FOLDER already, /,
    );
  });

  test("put by hand as an archive is only unpacked", async () => {
    const { source, archive } = archiveSource(batches);
    const to = tempFolder({ "a.tar.gz": archive });
    await fetchSet(source, { to }); // its own address answers nothing
    expect(readFileSync(join(to, "cifar-10-batches-bin", batches[0]!)).equals(bodies[0]!)).toBe(true);
  });

  test("without all its files is told; so is an address that is none", async () => {
    const { source, archive } = archiveSource(["test_batch.bin"]);
    const to = tempFolder({ "a.tar.gz": archive });
    mkdirSync(join(to, "cifar-10-batches-bin"));
    expect(await complaintOf(fetchSet(source, { to }), to)).toMatchInlineSnapshot(
      `"fetch: got FOLDER/a.tar.gz without data_batch_1.bin, expected it to hold them"`,
    );
    for (const from of ["mirror", "ftp://mirror/", "/tmp"])
      expect(await complaintOf(fetchSet(source, { to, from }), to)).toBe(
        `fetch: got --from ${from}, expected the http or https address of the folder the files lie in`,
      );
  });
});

test("the sources are those of the official files", () => {
  const rows = Object.values(sources).flatMap(({ from, files }) =>
    files.map(({ name, md5, bytes }) => `${from}${name} ${md5} ${bytes}`),
  );
  expect(rows).toMatchInlineSnapshot(`
    [
      "https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz f68b3c2dcbeaaa9fbdd348bbdeb94873 9912422",
      "https://ossci-datasets.s3.amazonaws.com/mnist/train-labels-idx1-ubyte.gz d53e105ee54ea40749a09fcbcd1e9432 28881",
      "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-images-idx3-ubyte.gz 9fb629c4189551a2d022fa330f9573f3 1648877",
      "https://ossci-datasets.s3.amazonaws.com/mnist/t10k-labels-idx1-ubyte.gz ec29112dd5afa0611ce80d1b7f02629c 4542",
      "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz c32a1d4ab5d03f1284b67883e8d87530 170052171",
    ]
  `);
});
