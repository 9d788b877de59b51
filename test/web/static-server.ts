import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};

/** Serves a folder's files under a path of 127.0.0.1, and nothing else: the plainest of hosts. */
export async function serve(folder: string, under: string): Promise<{ url: string; close: () => void }> {
  const server = createServer(({ url = "" }, response) => {
    const { pathname } = new URL(url, "http://127.0.0.1");
    const inside = normalize(pathname.slice(under.length) || "/");
    const file = join(folder, inside.endsWith("/") ? join(inside, "index.html") : inside);
    if (!pathname.startsWith(under) || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = types[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type }).end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}${under}`, close: () => void server.close() };
}
