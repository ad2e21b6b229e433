// Small grammars that compose files and Quadlets have in common.

/** Splits a command like a shell does, without expanding anything. */
export function split(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let index = 0; index < text.length; index++) {
    const letter = text[index] as string;
    if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (letter === "\\") {
      word = (word ?? "") + (text[++index] ?? "");
    } else if (letter === "'" || letter === '"') {
      word ??= "";
      while (++index < text.length && text[index] !== letter) {
        const escaped = letter === '"' && text[index] === "\\" && /["\\$`]/.test(text[index + 1] ?? "");
        word += escaped ? text[++index] : text[index];
      }
    } else word = (word ?? "") + letter;
  }
  return word === undefined ? words : [...words, word];
}

/** The variables of an environment file, each with its line. */
export function variablesOf(text: string): { name: string; value: string; line: number }[] {
  return text.split("\n").flatMap((given, index) => {
    const [, name, raw = ""] = /^\s*(?:export\s+)?([A-Za-z_][\w.-]*)\s*=\s*(.*?)\s*$/.exec(given) ?? [];
    if (name === undefined) return [];
    const quoted = /^(["'])(.*)\1(?:\s+#.*)?$/.exec(raw);
    return [{ name, value: quoted ? (quoted[2] as string) : raw.replace(/\s+#.*$/, ""), line: index + 1 }];
  });
}

export type Lookup = (name: string) => string | undefined;

/** Replaces `$NAME`, `${NAME}`, `${NAME:-default}` and the like. `missing` has the names without a value. */
export function interpolated(text: string, lookup: Lookup): { text: string; missing: string[] } {
  const missing: string[] = [];
  const pattern = /\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+?])((?:[^{}]|\{[^{}]*\})*))?\})/g;
  const replaced = text.replace(pattern, (all, plain?: string, name = plain, operator = "", word = "") => {
    if (all === "$$") return "$";
    const value = lookup(name as string);
    const set = operator.startsWith(":") ? Boolean(value) : value !== undefined;
    if (operator.endsWith("+")) return set ? word : "";
    if (set) return value as string;
    if (operator.endsWith("-")) return interpolated(word, lookup).text;
    missing.push(name as string);
    return "";
  });
  return { text: replaced, missing };
}

/** Seconds of a duration such as `1m30s` or `90`; undefined if it is none. */
export function secondsOf(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const units: Record<string, number> = { h: 3600, m: 60, min: 60, s: 1, sec: 1, ms: 0.001, us: 0.000001 };
  if (!/^(\d+(\.\d+)?(h|min|ms|us|m|sec|s)\s*)+$/.test(text)) return undefined;
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|min|ms|us|m|sec|s)/g)];
  return Math.ceil(parts.reduce((sum, [, number, unit = "s"]) => sum + Number(number) * (units[unit] ?? 1), 0));
}

/** A size as Podman writes it, such as 512m; undefined if it is none. */
export function sizeOf(text: string): string | undefined {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([bkmgt]?)(?:i?b)?$/i.exec(text.trim()) ?? [];
  if (number === "") return undefined;
  const bytes = Number(number) * 1024 ** "bkmgt".indexOf(unit.toLowerCase() || "b");
  for (const [name, size] of [
    ["g", 1024 ** 3],
    ["m", 1024 ** 2],
    ["k", 1024],
  ] as const)
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${name}`;
  return `${Math.ceil(bytes / 1024)}k`;
}

/** A name for an app, a container or a folder, made from another one. */
export const nameOf = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[^a-z]+|-+$/g, "")
    .slice(0, 31) || "app";
