type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** An element with attributes (true for one without a value; false and undefined for none) and children. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : `${value}`);
  made.append(...children);
  return made;
}

/** The element of an id that index.html is known to have. */
export function known<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}

let given = 0;

/** An id that no other element has. */
export const freshId = (name: string): string => `${name}-${++given}`;
