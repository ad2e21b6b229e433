// Documents for the agent: TOML that a reviewer can read in a diff, followed by its length.
import { looksLikePlaceholder, withoutLookalikes, withPlaceholders } from "./placeholder.ts";

/** Contents of a document: scalars, lists of scalars, and lists of tables. Undefined keys are omitted. */
export type Table = { [key: string]: Scalar | readonly Scalar[] | readonly Table[] | undefined };
type Scalar = string | number | boolean;

/**
 * Serializes a table as TOML. Multi-line strings are written verbatim between `'''`, so that a preview shows which
 * lines of a rendered file change. (A general TOML writer puts each string on one line, with `\n` escapes.)
 *
 * @throws for a number that is not a safe integer, and for a string that is not valid Unicode, without the string,
 * which may be secret.
 */
export function toml(table: Table): string {
  const lines: string[] = [];
  const tables: [string, readonly Table[]][] = [];
  for (const [key, value] of Object.entries(table)) {
    if (value === undefined) continue;
    if (isTables(value)) tables.push([key, value]);
    else {
      const written = (one: Scalar) => scalar(key, one);
      lines.push(`${key} = ${Array.isArray(value) ? `[${value.map(written).join(", ")}]` : written(value as Scalar)}`);
    }
  }
  const blocks = tables.flatMap(([key, rows]) => rows.map((row) => `\n[[${key}]]\n${toml(row)}`));
  return `${lines.join("\n")}\n${blocks.join("")}`;
}

/**
 * Appends the length of the document in bytes. TOML that is cut off between two tables still parses and would read as a
 * request to delete the rest; the agent rejects a document without this line.
 */
export const sealed = (text: string): string => `${text}# gatehouse: ${Buffer.byteLength(text)} bytes\n`;

const isTables = (value: unknown): value is readonly Table[] =>
  Array.isArray(value) && value.length > 0 && typeof value[0] === "object";

function scalar(key: string, value: Scalar): string {
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new Error(`${value} is not a whole number`);
    return String(value);
  }
  if (!value.isWellFormed()) throw new Error(`${key} is not valid Unicode`);
  const open = value.includes("\n") && !/'''|[^\n\t\P{Cc}]/u.test(value) && !value.endsWith("'");
  return withPlaceholders(
    open && !looksLikePlaceholder(value)
      ? `'''\n${value}'''`
      : withoutLookalikes(JSON.stringify(value).replaceAll("\u007f", "\\u007f")),
  );
}
