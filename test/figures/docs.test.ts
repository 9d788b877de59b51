/** docs/figures.md shows the pictures and the numbers that were measured with them. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { markdownTable } from "../../bench/figures/table.ts";

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));
const page = readFileSync(`${docs}figures.md`, "utf8");
const folder = `${docs}pictures/figures/`;
const files = readdirSync(folder);
const ending = (extension: string) => files.filter((name) => name.endsWith(extension));

test.each(ending(".json"))("the table of %s is the page's", (name) => {
  const { table } = JSON.parse(readFileSync(folder + name, "utf8")) as { table: string[][] };
  expect(page).toContain(markdownTable(table));
});

test.each([...ending(".svg"), ...ending(".png")])("%s is shown, and small", (name) => {
  expect(page).toContain(`](pictures/figures/${name})`);
  expect(statSync(folder + name).size).toBeLessThan(100_000);
});

test("every picture of the page is there", () => {
  const shown = [...page.matchAll(/\]\(pictures\/figures\/([^)]+)\)/g)].map(([, name]) => name);
  expect(shown.length).toBeGreaterThan(0);
  for (const name of shown) expect(files).toContain(name);
});
