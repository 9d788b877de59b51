/**
 * What a WGSL compiler complains of, in one line where it is naga: that one draws the source with marks under it,
 *
 *     Shader 'softmax {"size":64}' parsing error: no definition in scope for identifier: `g`
 *       ┌─ wgsl:8:13
 *       │
 *     8 │   y[i] = g(1.0);
 *       │          ^ unknown identifier
 *       = note: ...
 *
 * of which this keeps the heading, what stands at the marks and the notes. Tint's messages stay as they are.
 */
export function shaderMessage(message: string): string {
  if (!message.includes("┌─")) return message.trim();
  const [heading = "", ...drawing] = message.trim().split("\n");
  const said = [heading.replace(/^Shader (?:'.*' )?(?:parsing|validation) error: /, "")];
  for (const line of drawing) {
    const beside = /^\s*(?:[│·][\s│╭╰─^'-]*|= (?:note: )?)(.*)$/.exec(line)?.[1]?.trim();
    if (beside) said.push(beside);
  }
  return said.join("; ");
}
