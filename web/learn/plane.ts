/** Colours of a picture of the plane, as CSS writes them. */
interface PlaneColours {
  readonly points: string;
  readonly learned: string;
  readonly truth: string;
  readonly particles: string;
  readonly frame: string;
}

/** What is on the plane: all [n,2], in units of the data. */
export interface PlaneScene {
  readonly reach: number;
  readonly points: ArrayLike<number>;
  /** Where arrows stand, in the middle of square cells. */
  readonly grid: ArrayLike<number>;
  readonly learned: ArrayLike<number>;
  readonly truth?: ArrayLike<number> | undefined;
  /** The length of a score that is drawn at full length. */
  readonly longest: number;
  readonly particles?: ArrayLike<number> | undefined;
  /** Where the keyboard's pointer is, while points are drawn by hand. */
  readonly cursor?: readonly [x: number, y: number] | undefined;
}

/** Coordinates of points that are drawn larger, for there are few of them. */
const FEW = 600;

/** Draws a scene over a canvas. What belongs together is told by shape as by colour: dots, rings, solid and dashed arrows. */
export function drawPlane(canvas: HTMLCanvasElement, scene: PlaneScene, colours: PlaneColours): void {
  const side = canvas.width;
  const ink = canvas.getContext("2d")!;
  const unit = side / 400; // line widths are for a picture 400 wide
  const x = (value: number) => ((value + scene.reach) / (2 * scene.reach)) * side;
  const y = (value: number) => side - x(value);
  ink.clearRect(0, 0, side, side);
  ink.lineCap = "round";

  ink.fillStyle = colours.points;
  ink.globalAlpha = 0.5;
  const radius = scene.points.length < FEW ? 2.4 : 1.4;
  eachPoint(scene.points, (px, py) => {
    ink.beginPath();
    ink.arc(x(px), y(py), radius * unit, 0, 2 * Math.PI);
    ink.fill();
  });
  ink.globalAlpha = 1;

  const cell = side / Math.sqrt(scene.grid.length / 2);
  const arrows = (vectors: ArrayLike<number>, colour: string, width: number, dash: number[]) => {
    ink.strokeStyle = colour;
    ink.lineWidth = width * unit;
    ink.setLineDash(dash.map((length) => length * unit));
    eachPoint(scene.grid, (px, py, i) => {
      const [u, v] = [vectors[i]!, vectors[i + 1]!];
      const size = Math.hypot(u, v);
      if (!(size > 0 && Number.isFinite(size))) return;
      const length = (0.95 * cell * Math.min(1, size / scene.longest)) / size;
      drawArrow(ink, [x(px), y(py)], [u * length, -v * length], cell);
    });
    ink.setLineDash([]);
  };
  if (scene.truth) arrows(scene.truth, colours.truth, 1.2, [2.5, 2.5]);
  arrows(scene.learned, colours.learned, 1.4, []);

  if (scene.particles) {
    ink.strokeStyle = colours.particles;
    ink.lineWidth = 1.5 * unit;
    eachPoint(scene.particles, (px, py) => {
      ink.beginPath();
      ink.arc(x(px), y(py), 2.6 * unit, 0, 2 * Math.PI);
      ink.stroke();
    });
  }
  if (scene.cursor) {
    const [px, py] = scene.cursor;
    ink.strokeStyle = colours.frame;
    ink.lineWidth = 1.5 * unit;
    const arm = 8 * unit;
    ink.beginPath();
    ink.moveTo(x(px) - arm, y(py));
    ink.lineTo(x(px) + arm, y(py));
    ink.moveTo(x(px), y(py) - arm);
    ink.lineTo(x(px), y(py) + arm);
    ink.stroke();
  }
}

const [COSINE, SINE] = [Math.cos(0.5), Math.sin(0.5)]; // half of what an arrow's head opens

function drawArrow(
  ink: CanvasRenderingContext2D,
  [x, y]: readonly [number, number],
  [u, v]: readonly [number, number],
  cell: number,
): void {
  ink.beginPath();
  ink.moveTo(x, y);
  ink.lineTo(x + u, y + v);
  if (Math.hypot(u, v) > 0.2 * cell)
    for (const turn of [1, -1]) {
      ink.moveTo(x + u, y + v);
      ink.lineTo(
        x + u - 0.32 * (u * COSINE - turn * v * SINE),
        y + v - 0.32 * (v * COSINE + turn * u * SINE),
      );
    }
  ink.stroke();
}

function eachPoint(points: ArrayLike<number>, fn: (x: number, y: number, i: number) => void): void {
  for (let i = 0; i < points.length; i += 2) fn(points[i]!, points[i + 1]!, i);
}
