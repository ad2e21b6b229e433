// Keys of the configuration that are set in another namespace than the project's, where nothing reads them.

/**
 * The setting that such a key is meant to be: `authentik:version` is `authentik.version`, and `gatehous:host` is `host`.
 * Undefined for a key of the project itself, of a provider, or of anything else.
 *
 * @param settings all settings of the project.
 */
export function misplaced(key: string, settings: readonly string[], project: string): string | undefined {
  const [, namespace = "", name = ""] = /^([^:]*):(.*)$/s.exec(key) ?? [];
  if (namespace === project) return undefined;
  if (settings.includes(namespace)) return PROVIDERS[namespace]?.includes(name) ? undefined : `${namespace}.${name}`;
  const [setting = ""] = name.split(/[.[]/);
  return settings.includes(setting) && edits(namespace.toLowerCase(), project) <= TYPOS ? name : undefined;
}

/** Settings of providers that have the name of one of ours: a program that includes the platform may use them. */
const PROVIDERS: Readonly<Record<string, readonly string[]>> = { authentik: ["url", "token", "insecure", "headers"] };

/** As far as a mistyped name of the project may be from it: a provider has such settings too, such as `docker:host`. */
const TYPOS = 2;

/** The number of characters to insert, delete or replace. */
function edits(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, character] of [...one].entries()) {
    const next = [index + 1];
    for (let at = 0; at < other.length; at++)
      next.push(
        Math.min(
          (next[at] as number) + 1,
          (row[at + 1] as number) + 1,
          (row[at] as number) + +(other[at] !== character),
        ),
      );
    row = next;
  }
  return row[other.length] as number;
}
