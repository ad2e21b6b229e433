// The plan as one self-contained HTML page.
import { fileURLToPath } from "node:url";
import { plain } from "../../components/render/plain.ts";
import { templates } from "../../components/render/templates.ts";
import type { FileChange } from "../predict/files.ts";
import type { Report } from "../report/report.ts";
import { placed } from "./drawing.ts";
import { AGAIN, databaseWords, impactWords, itemWords, releaseWords } from "./words.ts";

// Every inserted value is escaped for HTML.
const template = templates(fileURLToPath(new URL(".", import.meta.url)), true);

/** Renders the plan as a page with embedded styles (light and dark), without scripts or requests. */
export function html(report: Report): string {
  const { units, releases, items, data, databases, warnings, doors } = report;
  const drawing = placed(doors);
  const page = template("page.html.njk", {
    stack: report.stack,
    project: report.project,
    summary: report.summary,
    units: units.map((unit) => ({ ...unit, words: impactWords(unit) })),
    data: [...data, ...databases.map(databaseWords)],
    warnings,
    releases: releases
      .filter(({ what }) => what !== "resend")
      .map((release) => ({
        ...release,
        words: releaseWords(release),
        drift: release.drift.map(({ message, diff }) => ({ message, lines: linesOf(diff) })),
        files: release.files.map(file),
      })),
    items: items.map(itemWords),
    again: releases
      .filter(({ what }) => what === "resend")
      .map(({ name }) => name)
      .join(", "),
    againWords: AGAIN,
    drawing: {
      ...drawing,
      boxes: drawing.boxes.map((box) => ({ ...box, change: box.change ?? "" })),
      lines: drawing.lines.map((line) => ({ ...line, change: line.change ?? "" })),
    },
  });
  return plain(page);
}

const SIGNS: Record<string, string> = { "+": "added", "-": "removed", "@": "place", "\\": "place" };

const linesOf = (diff: string) =>
  diff
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => ({ text: line, kind: SIGNS[line.charAt(0)] ?? "same" }));

const file = ({ path, what, access, accessBefore, diff }: FileChange) => ({
  path,
  what,
  access: accessBefore ? `${accessBefore} becomes ${access}` : access,
  lines: linesOf(diff),
});
