/*
 * Reading rows of x that begin anywhere in its fours, on CPU drivers: a thread goes along the rows one after the other and
 * cuts each vec4 it wants out of two neighbours. The second is held: it is the next one's first, and often the next row's.
 * A CPU driver reads lane by lane, and an `if` spares it the lanes that are left out: only what has to do with a row is read.
 */

/** `cut`: four neighbours out of eight, from the one on at which `start` stands in its four. */
export const cutLib = (type: "vec4f" | "vec4u"): string => `
fn cut(a: ${type}, b: ${type}, start: i32) -> ${type} {
  let odd = (start & 1) != 0;
  let v01 = select(a, ${type}(a.y, a.z, a.w, b.x), odd);
  let v23 = select(${type}(a.z, a.w, b.x, b.y), ${type}(a.w, b.x, b.y, b.z), odd);
  return select(v01, v23, (start & 2) != 0);
}`;

const HOLD = "if (at != known && u32(at - head) < count) { held = x[at]; known = at; }";

/** Before the first row. */
export const noneHeld = (type: "vec4f" | "vec4u"): string => `
      var held = ${type}();
      var known = -1;`;

/**
 * For a row of `width` numbers from `begin` on, of which `count` vec4s from `head` on hold some; `start`: where in x the first
 * vec4 would begin that is wanted.
 */
export const rowHeld = `
        let head = begin >> 2u;
        let count = select(0u, u32(((begin + i32(width) + 3) >> 2u) - head), width > 0u);
        var at = start >> 2u;
        ${HOLD}`;

/** The next vec4 is then `cut(a, held, start)`. */
export const nextHeld = `
          let a = held;
          at++;
          ${HOLD}`;
