// A document for the agent: TOML that a reviewer can read in a diff, closed by its own length.
import { looksLikePlaceholder, withoutLookalikes, withPlaceholders } from "./placeholder.ts";

/** What a document may hold: scalars, lists of scalars, and lists of tables. An undefined key is left out. */
export type Table = { [key: string]: Scalar | readonly Scalar[] | readonly Table[] | undefined };
type Scalar = string | number | boolean;

/**
 * Writes a table as TOML. Texts of several lines stand as they are between `'''`, so that a preview shows the lines of
 * a rendered file that change. (A general TOML writer puts each text on one line, `\n` and all.)
 *
 * @throws when a value cannot be said in TOML, such as a number that is not an integer.
 */
export function toml(table: Table): string {
  const lines: string[] = [];
  const tables: [string, readonly Table[]][] = [];
  for (const [key, value] of Object.entries(table)) {
    if (value === undefined) continue;
    if (isTables(value)) tables.push([key, value]);
    else lines.push(`${key} = ${Array.isArray(value) ? `[${value.map(scalar).join(", ")}]` : scalar(value as Scalar)}`);
  }
  const blocks = tables.flatMap(([key, rows]) => rows.map((row) => `\n[[${key}]]\n${toml(row)}`));
  return `${lines.join("\n")}\n${blocks.join("")}`;
}

/**
 * Closes a document with its number of bytes. TOML that was cut between two tables still parses, and would read as a
 * wish to delete the rest; the agent does nothing without this line.
 */
export const sealed = (text: string): string => `${text}# gatehouse: ${Buffer.byteLength(text)} bytes\n`;

const isTables = (value: unknown): value is readonly Table[] =>
  Array.isArray(value) && value.length > 0 && typeof value[0] === "object";

function scalar(value: Scalar): string {
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new Error(`${value} is not a whole number`);
    return String(value);
  }
  if (!value.isWellFormed()) throw new Error(`${JSON.stringify(value)} is not valid Unicode`);
  const open = value.includes("\n") && !/'''|[^\n\t\P{Cc}]/u.test(value) && !value.endsWith("'");
  return withPlaceholders(
    open && !looksLikePlaceholder(value)
      ? `'''\n${value}'''`
      : withoutLookalikes(JSON.stringify(value).replaceAll("\u007f", "\\u007f")),
  );
}
