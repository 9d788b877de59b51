import { unzipSync } from "fflate";
import { expect, test } from "vitest";
import { npz } from "../../cli/pictures/npz.ts";

test("an array is a .npy of format 1.0 inside a zip, without the time of day", () => {
  const data = Float32Array.from({ length: 6 }, (_, i) => i / 4);
  const bytes = npz({ samples: { data, shape: [2, 3] }, line: { data, shape: [6] } });
  expect(npz({ samples: { data, shape: [2, 3] }, line: { data, shape: [6] } })).toEqual(bytes);
  const files = unzipSync(bytes);
  expect(Object.keys(files)).toEqual(["samples.npy", "line.npy"]);
  const npy = files["samples.npy"]!;
  expect([...npy.subarray(0, 8)]).toEqual([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0]);
  const length = npy[8]! + 256 * npy[9]!;
  expect((10 + length) % 64).toBe(0);
  const header = new TextDecoder().decode(npy.subarray(10, 10 + length));
  expect(header).toMatch(/^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3\), \} *\n$/);
  expect(new Float32Array(npy.slice(10 + length).buffer)).toEqual(data);
  expect(new TextDecoder().decode(files["line.npy"]!.subarray(10, 80))).toContain("'shape': (6,)");
});
