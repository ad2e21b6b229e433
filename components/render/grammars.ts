// One encoder for each grammar that values are written into. Each rejects values that the grammar cannot represent: a
// line break in a value must be an error here, never a second directive on the host.

/** A value that a grammar cannot represent. */
class NotEncodable extends Error {
  constructor(grammar: string, value: string, why: string) {
    const shown = value.length > 80 ? `${value.slice(0, 60)}...` : value;
    super(`${JSON.stringify(shown)} cannot be written into ${grammar}: ${why}`);
  }
}

const text = (value: unknown): string => {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return String(value);
  throw new TypeError(`a ${value === null ? "null" : typeof value} cannot be written into a file`);
};

function oneLine(grammar: string, value: unknown): string {
  const line = text(value);
  if (/\p{Cc}/u.test(line))
    throw new NotEncodable(grammar, line, "it contains a line break or another control character");
  // Half a surrogate pair would be written as another character; systemd drops a line that contains a noncharacter.
  if (/[\p{Cs}\p{Noncharacter_Code_Point}]/u.test(line))
    throw new NotEncodable(grammar, line, "it contains a code point that is not a character");
  return line;
}

/** A value after `Key=` in a systemd unit: `%` starts a specifier, and a final backslash continues the line. */
export function unit(value: unknown): string {
  const line = oneLine("a unit file", value);
  if (line !== line.trim()) throw new NotEncodable("a unit file", line, "leading and trailing blanks would be lost");
  if (line.endsWith("\\")) throw new NotEncodable("a unit file", line, "a trailing backslash would join the next line");
  return line.replaceAll("%", "%%");
}

/**
 * A word that is only a semicolon: Podman writes it to `ExecStart=` without quotes, where it would begin another command.
 * `%i` is empty in these units.
 */
const SEMICOLON = ";%i";

/**
 * A value after `Key=` in Quadlet's own sections: it becomes part of `ExecStart=`, where `$` also starts a variable.
 */
export function quadlet(value: unknown): string {
  const line = unit(value);
  if (line === ";") return SEMICOLON;
  // Podman removes them for keys with one value but not for lists of words, and the key is not known here.
  if (/^"|"$/.test(line))
    throw new NotEncodable(
      "a unit file",
      text(value),
      "Podman may remove leading and trailing double quotes, but keeps single quotes",
    );
  return line.replaceAll("$", () => "$$");
}

/** One word in a list of words of a systemd unit, such as `Environment=`: quoted, with escaped backslashes. */
export function unitWord(value: unknown): string {
  const word = oneLine("a unit file", value).replaceAll("%", "%%");
  return `"${word.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** One word of a command in Quadlet's own sections, such as `Exec=`: it also becomes part of `ExecStart=`. */
export function quadletWord(value: unknown): string {
  if (value === "") throw new NotEncodable("a unit file", value, "Podman reads a command up to its first empty word");
  if (value === ";") return `"${SEMICOLON}"`;
  return unitWord(value).replaceAll("$", () => "$$");
}

/** A value in an env file as Podman reads it: the rest of the line, including blanks and quotes. */
export function envFile(value: unknown): string {
  const line = oneLine("an env file", value);
  if (Buffer.byteLength(line) > 60_000)
    throw new NotEncodable("an env file", line, "Podman only reads lines shorter than 64 KiB");
  return line;
}

/** A value in postgresql.conf. */
export const postgresSetting = (value: unknown): string =>
  `'${oneLine("postgresql.conf", value).replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;

/** A name in pg_hba.conf, quoted so that it is never a keyword such as `all`. */
export function hbaName(value: unknown): string {
  const name = oneLine("pg_hba.conf", value);
  if (name.startsWith("/"))
    throw new NotEncodable("pg_hba.conf", name, "a leading slash makes it a pattern, even in quotes");
  return `"${name.replaceAll('"', '""')}"`;
}

/** The name of a role or a database in SQL. */
export function sqlName(value: unknown): string {
  const name = oneLine("SQL", value);
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > 63) throw new NotEncodable("SQL", name, `a name has 1 to 63 bytes, this one has ${bytes}`);
  if (name === "public" || name === "none")
    throw new NotEncodable("SQL", name, "where a role is expected it is a keyword, even in quotes");
  return `"${name.replaceAll('"', '""')}"`;
}

/** An SQL string, safe under any `standard_conforming_strings`. */
export const sqlText = (value: unknown): string =>
  `E'${oneLine("SQL", value).replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

/** A value in valkey.conf: double quotes with C escapes. */
export const valkeySetting = (value: unknown): string => `"${oneLine("valkey.conf", value).replace(/["\\]/g, "\\$&")}"`;

/**
 * One token of a Caddyfile. Backticks preserve everything between them; double quotes cannot represent every backslash.
 * A brace could open a block or a placeholder, so it is rejected.
 */
export function caddy(value: unknown): string {
  const token = oneLine("a Caddyfile", value);
  if (/[{}`]/.test(token))
    throw new NotEncodable("a Caddyfile", token, "braces and backticks have a special meaning there");
  return /^[\w./:*@+-]+$/.test(token) ? token : `\`${token}\``;
}
