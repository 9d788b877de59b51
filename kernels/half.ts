/*
 * Storage in half precision. A kernel computes in f32 whatever its arrays are stored as: its text is written for f32,
 * and here every access of an array that is stored as f16 gets its conversion.
 */

/** Element types that can be stored as f16, with what they become. u32 stands for the bits of an f32. */
const stored: Readonly<Record<string, { element: string; load: Wrap; store: Wrap }>> = {
  f32: { element: "f16", load: (v) => `f32(${v})`, store: (v) => `f16(${v})` },
  vec4f: { element: "vec4<f16>", load: (v) => `vec4f(${v})`, store: (v) => `vec4<f16>(${v})` },
  u32: {
    element: "f16",
    load: (v) => `bitcast<u32>(f32(${v}))`,
    store: (v) => `f16(bitcast<f32>(${v}))`,
  },
  vec4u: {
    element: "vec4<f16>",
    load: (v) => `bitcast<vec4u>(vec4f(${v}))`,
    store: (v) => `vec4<f16>(bitcast<vec4f>(${v}))`,
  },
};
type Wrap = (value: string) => string;

/** The element type that stands for `element` in half precision. Throws RangeError where there is none. */
export function halfElement(element: string): string {
  const half = stored[element];
  if (!half) throw new RangeError(`half: an array of ${element} cannot be stored as f16`);
  return half.element;
}

/** WGSL with conversions at every access of these arrays: by name, the element type that the text was written for. */
export function convertAccesses(text: string, arrays: ReadonlyMap<string, string>): string {
  let out = "";
  let at = 0;
  const names = /(?<![\w.])([A-Za-z_]\w*)\[/g;
  for (;;) {
    names.lastIndex = at;
    const found = nextOf(names, text, arrays);
    if (!found) return out + text.slice(at);
    const [name, start, open] = found;
    const { load, store } = stored[arrays.get(name)!]!;
    const close = closing(text, open);
    const place = `${name}[${convertAccesses(text.slice(open + 1, close), arrays)}]`;
    out += text.slice(at, start);
    const assigned = /^\s*([-+*/]?)=(?!=)/.exec(text.slice(close + 1));
    if (!assigned) {
      out += load(place);
      at = close + 1;
      continue;
    }
    const from = close + 1 + assigned[0].length;
    const end = text.indexOf(";", from);
    const value = convertAccesses(text.slice(from, end), arrays).trim();
    const operator = assigned[1];
    out += `${place} = ${store(operator ? `${load(place)} ${operator} (${value})` : value)}`;
    at = end;
  }
}

function nextOf(
  names: RegExp,
  text: string,
  arrays: ReadonlyMap<string, string>,
): [name: string, start: number, open: number] | undefined {
  for (let m = names.exec(text); m; m = names.exec(text))
    if (arrays.has(m[1]!)) return [m[1]!, m.index, m.index + m[0].length - 1];
  return undefined;
}

/** Where the bracket opened at `open` closes. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === "[") depth++;
    else if (text[i] === "]" && --depth === 0) return i;
  }
  throw new RangeError(`half: the bracket at ${open} is not closed`);
}
