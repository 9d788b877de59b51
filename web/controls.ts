import { UsageError } from "../engine/errors.ts";
import { element, freshId } from "./dom.ts";

/** A control with its label. */
export interface Field<T> {
  /** To be put into the page. */
  readonly root: HTMLElement;
  readonly input: HTMLInputElement | HTMLSelectElement;
  /** Throws UsageError, naming the label, for what was typed and cannot be taken. */
  value: T;
}

interface Labelled {
  readonly label: string;
  /** A few words under the control. */
  readonly hint?: string;
}

/** A number to type. `step` 1 (unless told) asks for whole numbers, "any" for any. */
export function numberField({
  value,
  min,
  max,
  step = 1,
  ...labelled
}: Labelled & { value: number; min: number; max: number; step?: number | "any" }): Field<number> {
  const input = element("input", { type: "number", inputmode: "decimal", value, min, max, step });
  const kind = step === 1 ? "a whole number" : "a number";
  return {
    root: withLabel(input, labelled),
    input,
    get value() {
      const typed = input.valueAsNumber;
      const fits = typed >= min && typed <= max && (step !== 1 || Number.isInteger(typed));
      if (!fits)
        throw new UsageError(
          `${labelled.label}: got ${input.value || "nothing"}, expected ${kind} from ${min} to ${max}`,
        );
      return typed;
    },
    set value(to) {
      input.value = `${to}`;
    },
  };
}

/** One of several, in the order of `choices`: what it is called by its value. */
export function choiceField<Choice extends string>({
  value,
  choices,
  ...labelled
}: Labelled & { value: NoInfer<Choice>; choices: Readonly<Record<Choice, string>> }): Field<Choice> {
  const input = element("select");
  for (const [name, text] of Object.entries<string>(choices))
    input.append(element("option", { value: name, selected: name === value }, text));
  return {
    root: withLabel(input, labelled),
    input,
    get value() {
      return input.value as Choice;
    },
    set value(to) {
      input.value = to;
    },
  };
}

/** Yes or no. */
export function checkField({ value, ...labelled }: Labelled & { value: boolean }): Field<boolean> {
  const input = element("input", { type: "checkbox", checked: value });
  const root = withLabel(input, labelled);
  root.classList.add("check");
  return {
    root,
    input,
    get value() {
      return input.checked;
    },
    set value(to) {
      input.checked = to;
    },
  };
}

/** A button; `main` for what a view is there for. */
export function button(label: string, act: () => void, { main = false } = {}): HTMLButtonElement {
  const made = element("button", { type: "button", class: main && "main" }, label);
  made.addEventListener("click", act);
  return made;
}

/** Controls that belong together, under a legend. */
export const group = (legend: string, ...fields: (Node | string)[]): HTMLFieldSetElement =>
  element("fieldset", {}, element("legend", {}, legend), ...fields);

function withLabel(input: HTMLElement, { label, hint }: Labelled): HTMLElement {
  input.id = freshId("field");
  const root = element("div", { class: "field" }, element("label", { for: input.id }, label), input);
  if (hint) {
    const said = element("p", { class: "hint", id: freshId("hint") }, hint);
    input.setAttribute("aria-describedby", said.id);
    root.append(said);
  }
  return root;
}
