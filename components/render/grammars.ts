// One encoder per grammar that a value is written into. Each refuses what the grammar cannot say: a line break in a
// value must be an error here, never a second directive on the host.

/** A value that a grammar cannot hold. */
class Unsayable extends Error {
  constructor(grammar: string, value: string, why: string) {
    super(`${JSON.stringify(value)} cannot be written into ${grammar}: ${why}`);
  }
}

const text = (value: unknown): string => {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
  throw new TypeError(`a ${value === null ? "null" : typeof value} cannot be written into a file`);
};

function oneLine(grammar: string, value: unknown): string {
  const line = text(value);
  if (/\p{Cc}/u.test(line)) throw new Unsayable(grammar, line, "it holds a line break or another control character");
  return line;
}

/** A value after `Key=` in a systemd or Quadlet unit: `%` starts a specifier, a final backslash continues the line. */
export function unit(value: unknown): string {
  const line = oneLine("a unit file", value);
  if (line !== line.trim()) throw new Unsayable("a unit file", line, "blanks at its ends would be lost");
  if (line.endsWith("\\")) throw new Unsayable("a unit file", line, "a backslash at its end would join the next line");
  return line.replaceAll("%", "%%");
}

/** One word of a list of words in a unit, such as `Environment=`: quoted, with backslashes kept. */
export function unitWord(value: unknown): string {
  const word = oneLine("a unit file", value).replaceAll("%", "%%");
  return `"${word.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** A value in an env file as Podman reads it: the rest of the line, quotes included. */
export function envFile(value: unknown): string {
  const line = oneLine("an env file", value);
  if (line !== line.trim()) throw new Unsayable("an env file", line, "blanks at its ends would be lost");
  return line;
}

/** A value in postgresql.conf. */
export const postgresSetting = (value: unknown): string =>
  `'${oneLine("postgresql.conf", value).replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;

/** A name in pg_hba.conf; quoted, so that no name is a keyword such as `all`. */
export function hbaName(value: unknown): string {
  const name = oneLine("pg_hba.conf", value);
  if (/["\\]/.test(name)) throw new Unsayable("pg_hba.conf", name, "it has no way to write a quote or a backslash");
  return `"${name}"`;
}

/** An SQL identifier. */
export const sqlName = (value: unknown): string => `"${oneLine("SQL", value).replaceAll('"', '""')}"`;

/** An SQL string, safe under any `standard_conforming_strings`. */
export const sqlText = (value: unknown): string =>
  `E'${oneLine("SQL", value).replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** A value in valkey.conf: double quotes with C escapes. */
export const valkeySetting = (value: unknown): string => `"${oneLine("valkey.conf", value).replace(/["\\]/g, "\\$&")}"`;

/** One token of a Caddyfile. A brace could open a block or a placeholder, so it is refused. */
export function caddy(value: unknown): string {
  const token = oneLine("a Caddyfile", value);
  if (/[{}`]/.test(token))
    throw new Unsayable("a Caddyfile", token, "braces and backticks have a meaning of their own there");
  return /^[\w./:*@+-]+$/.test(token) ? token : `"${token.replace(/["\\]/g, "\\$&")}"`;
}
