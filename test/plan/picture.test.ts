// docs/doors.svg, the picture in the README, is generated from the program: the sockets on a host with the smallest
// stack, and their users. UPDATE_GOLDEN=1 regenerates it.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { type Placed, placed } from "../../plan/render/drawing.ts";
import { reportOf } from "../../plan/report/changes.ts";
import { SMALL } from "../components/program.ts";
import { previewOfChange } from "./program.ts";

const PICTURE = fileURLToPath(new URL("../../docs/doors.svg", import.meta.url));
const HOW = "if that is meant: UPDATE_GOLDEN=1 npx vitest run --project check test/plan";

const STYLE = `
svg { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; color-scheme: light dark; }
text { fill: #1d2126; } text.title { fill: #5b6570; font-family: system-ui, sans-serif; }
rect { fill: #fbfbf9; stroke: #8a949e; stroke-width: 1.5; } path { fill: none; stroke: #5b6570; stroke-width: 1.5; }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e7ea; } text.title { fill: #9aa4ae; }
  rect { fill: #1b1f23; stroke: #6b7580; } path { stroke: #9aa4ae; }
}
`;

function svg({ width, height, columns, boxes, lines }: Placed): string {
  const drawn = [
    ...columns.map(({ title, x }) => `<text class="title" x="${x}" y="14">${title}</text>`),
    ...lines.map(({ path }) => `<path d="${path}"/>`),
    ...boxes.map(
      ({ x, y, width, height, name }) =>
        `<rect x="${x}" y="${y}" width="${width}" height="${height}" rx="5"/><text x="${x + 12}" y="${y + 21}">${name}</text>`,
    ),
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<title>Who may use which socket</title>
<style>${STYLE}</style>
${drawn.join("\n")}
</svg>
`;
}

test("the picture in the README is that of the smallest stack", async () => {
  const { doors } = reportOf(await previewOfChange({ from: SMALL, to: SMALL }));
  const names = doors.boxes.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["authentik-worker.service", "valkey-clients"]));
  const picture = svg(placed(doors));
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(PICTURE, picture);
  expect(readFileSync(PICTURE, "utf8"), HOW).toBe(picture);
});
