// The layout of the drawing of doors.
import type { Box, Drawing, Line } from "../report/doors.ts";

export interface Placed {
  width: number;
  height: number;
  columns: { title: string; x: number }[];
  boxes: (Box & { x: number; y: number; width: number; height: number })[];
  lines: (Line & { path: string })[];
}

const COLUMNS: [Box["column"], string][] = [
  ["who", "account or container"],
  ["group", "in group"],
  ["socket", "may use socket"],
  ["service", "of service"],
];
const CHARACTER = 7.3;
const BOX = { height: 34, padding: 12, gap: 14 };
const BETWEEN = 64;
const HEADING = 30;
const MARGIN = 4;

/** Places the boxes in columns, each as wide as its longest name and vertically centred. */
export function placed({ boxes, lines }: Drawing): Placed {
  const inColumn = COLUMNS.map(([column]) => boxes.filter((box) => box.column === column));
  const heightOf = (count: number) => count * (BOX.height + BOX.gap) - BOX.gap;
  const tallest = Math.max(0, ...inColumn.map(({ length }) => heightOf(length)));
  const set: Placed["boxes"] = [];
  const columns: Placed["columns"] = [];
  let x = MARGIN;
  for (const [index, [, title]] of COLUMNS.entries()) {
    const column = inColumn[index] ?? [];
    const longest = Math.max(
      title.length,
      ...column.map(({ name, change }) => `${name}${change ?? ""}`.length + (change ? 3 : 0)),
    );
    const width = Math.ceil(longest * CHARACTER) + 2 * BOX.padding;
    const top = HEADING + (tallest - heightOf(column.length)) / 2;
    columns.push({ title, x });
    set.push(
      ...column.map((box, row) => ({ ...box, x, y: top + row * (BOX.height + BOX.gap), width, height: BOX.height })),
    );
    x += width + BETWEEN;
  }
  return {
    width: x - BETWEEN + MARGIN,
    height: HEADING + tallest + MARGIN,
    columns,
    boxes: set,
    lines: lines.flatMap((line) => curve(line, set)),
  };
}

/** A curve from the right edge of a box to the left edge of a box in the next column. */
function curve(line: Line, boxes: Placed["boxes"]): Placed["lines"] {
  const next = (column: Box["column"]) => COLUMNS[COLUMNS.findIndex(([name]) => name === column) + 1]?.[0];
  for (const from of boxes.filter(({ name }) => name === line.from)) {
    const to = boxes.find(({ name, column }) => name === line.to && column === next(from.column));
    if (!to) continue;
    const [x1, y1, x2, y2] = [from.x + from.width, from.y + from.height / 2, to.x, to.y + to.height / 2];
    const middle = (x1 + x2) / 2;
    return [{ ...line, path: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}` }];
  }
  return [];
}
