// The plan for a terminal, without diffs.
import type { Report } from "../report/report.ts";
import { AGAIN, databaseWords, impactWords, itemWords, releaseWords } from "./words.ts";

/** Renders the plan as aligned lines. */
export function terminal(report: Report): string {
  const first = `${report.stack}: ${report.summary}`;
  if (!report.changes) return [first, ...section("warnings", report.warnings)].join("\n");
  const { units, releases, items, databases, data, warnings } = report;
  const touched = units.filter(({ verb, enabled }) => verb !== "none" || enabled !== undefined);
  const shown = releases.filter(({ what }) => what !== "resend");
  const again = releases.filter(({ what }) => what === "resend").map(({ name }) => name);
  return [
    first,
    ...section(
      "units",
      aligned(
        touched.flatMap((unit) =>
          unit.reasons.length === 0
            ? [[unit.unit, impactWords(unit), ""]]
            : unit.reasons.map((reason, index) =>
                index === 0 ? [unit.unit, impactWords(unit), reason] : ["", "", reason],
              ),
        ),
      ),
    ),
    ...section("releases", aligned(shown.map((release) => [release.name, releaseWords(release)]))),
    ...section(
      "drift",
      releases.flatMap(({ drift }) => drift.map(({ message }) => message)),
    ),
    ...section("data", [...data, ...databases.map(databaseWords)]),
    ...section("host", items.map(itemWords)),
    ...(again.length > 0 ? ["", `${AGAIN} ${again.join(", ")}`] : []),
    ...section("warnings", warnings),
  ].join("\n");
}

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)];

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
