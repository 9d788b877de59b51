import { type Array64, broadcastShapes, forEachIndex, map, zeros } from "./array.ts";
import { broadcastTo, permute } from "./shape.ts";

export interface MatmulAttrs {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

/** a [..., M, K] times b [..., K, P] -> [..., M, P], leading axes broadcast; each may be given transposed. */
export function matmul(a: Array64, b: Array64, { transposeA, transposeB }: MatmulAttrs = {}): Array64 {
  const left = transposeA ? swapLastTwo(a) : a; // [..., M, K]
  const right = transposeB ? swapLastTwo(b) : b; // [..., K, P]
  const [m, k] = left.shape.slice(-2) as [number, number];
  const [rows, p] = right.shape.slice(-2) as [number, number];
  if (a.shape.length < 2 || b.shape.length < 2 || rows !== k) {
    throw new RangeError(`matmul: [${left.shape}] times [${right.shape}]`);
  }

  const batch = broadcastShapes(left.shape.slice(0, -2), right.shape.slice(0, -2));
  const A = broadcastTo(left, [...batch, m, k]).data;
  const B = broadcastTo(right, [...batch, k, p]).data;
  const y = zeros([...batch, m, p]);

  forEachIndex(batch, (_, n) => {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < p; j++) {
        let total = 0;
        for (let l = 0; l < k; l++) total += A[(n * m + i) * k + l]! * B[(n * k + l) * p + j]!;
        y.data[(n * m + i) * p + j] = total;
      }
    }
  });
  return y;
}

/** y [..., M, P] plus bias, [M] or [..., M] along the rows, [P] or [..., P] along the columns. */
export function addBias(y: Array64, bias: Array64, along: "rows" | "columns"): Array64 {
  const [m, p] = y.shape.slice(-2) as [number, number];
  return map(y, (v, flat) => {
    const [batch, row, column] = [Math.floor(flat / (m * p)), Math.floor(flat / p) % m, flat % p];
    const [place, length] = along === "rows" ? [row, m] : [column, p];
    return v + bias.data[(batch * length + place) % bias.data.length]!;
  });
}

function swapLastTwo(x: Array64): Array64 {
  const axes = x.shape.map((_, axis) => axis);
  const [row, column] = axes.slice(-2) as [number, number];
  return permute(x, [...axes.slice(0, -2), column, row]);
}
