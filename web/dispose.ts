// Symbol.dispose for browsers that have none yet. Classes take it for their keys when they are defined, so that this
// comes before every other import.
const symbols = Symbol as { dispose?: symbol };
symbols.dispose ??= Symbol.for("Symbol.dispose");
