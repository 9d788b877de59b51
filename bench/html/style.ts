/** The page's looks: light, dark by the reader's system, and on paper. */
export const style = `
:root { color-scheme: light dark; --ink: #1f2328; --soft: #59636e; --line: #d9dee4; --back: #ffffff; --card: #f6f8fa;
  --bar: #9cc3e6; --good: #116329; --bad: #b42318; --link: #0550ae; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #2b333c; --back: #11161c; --card: #1a2129; --bar: #2d5f8b;
    --good: #57d38c; --bad: #ff8a80; --link: #79b8ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 92rem; color: var(--ink); background: var(--back);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { margin: 0; font-size: 1.7rem; letter-spacing: -0.01em; }
h2 { margin: 2.6rem 0 0.8rem; font-size: 1.2rem; border-bottom: 1px solid var(--line); padding-bottom: 0.3rem; }
h3 { margin: 1.6rem 0 0.4rem; font-size: 1rem; }
p { margin: 0.4rem 0; max-width: 60rem; }
.soft, caption { color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); gap: 0.8rem; margin: 1.4rem 0 0; padding: 0; }
.cards > div { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 0.7rem 0.9rem; }
.cards dt { color: var(--soft); font-size: 0.83rem; }
.cards dd { margin: 0; font-size: 1.3rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 0.2rem 1.2rem; margin: 0; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 0; overflow-x: auto; }
figure svg { width: 100%; max-width: 72rem; height: auto; min-width: 40rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.86rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: 0.2rem 0 0.5rem; }
th, td { padding: 0.28rem 0.45rem; text-align: right; border-bottom: 1px solid var(--line); vertical-align: baseline; white-space: nowrap; }
th { font-weight: 600; color: var(--soft); background: var(--back); border-bottom-width: 2px; }
th.text, td.text { text-align: left; }
td.text { white-space: normal; } td.text:first-child { min-width: 13rem; }
tbody tr:hover { background: var(--card); }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " \\25B2"; } th[aria-sort=descending] button::after { content: " \\25BC"; }
.share { background: linear-gradient(to right, var(--bar) var(--share), transparent var(--share)) no-repeat; min-width: 5.5rem; }
.good { color: var(--good); font-weight: 600; } .bad { color: var(--bad); font-weight: 600; }
.search { margin: 0 0 0.6rem; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: 0.35rem 0.6rem; width: min(24rem, 100%); }
.verdict { font-size: 1.05rem; font-weight: 600; }
details { margin: 0.6rem 0; } summary { cursor: pointer; }
footer { margin-top: 3rem; color: var(--soft); font-size: 0.85rem; }
@media print { body { padding: 0; max-width: none; font-size: 10pt; } .search { display: none; } h2 { break-after: avoid; }
  tr, figure { break-inside: avoid; } td, th { padding: 0.12rem 0.3rem; } table { font-size: 7.5pt; } .wide { overflow: visible; }
  .share { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
`;

/** Sorting by a column's head and finding by a text; without it the page is whole too. */
export const script = `
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const value = (row, i) => row.cells[i].dataset.value ?? row.cells[i].textContent;
  const compare = (a, b) => a === "" ? (b === "" ? 0 : 1) : b === "" ? -1 : isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
  [...table.tHead.rows[0].cells].forEach((head, i) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a, i), value(b, i)];
        return x === "" || y === "" ? compare(x, y) : (down ? -1 : 1) * compare(x, y);
      });
      body.append(...rows);
    });
  });
  const search = document.createElement("input");
  search.type = "search";
  search.className = "search";
  search.placeholder = "Find a case, family or shape";
  search.setAttribute("aria-label", search.placeholder);
  search.addEventListener("input", () => {
    for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(search.value.toLowerCase());
  });
  table.closest(".wide").before(search);
}
`;
