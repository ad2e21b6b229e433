// Mounts of single files: a file that can be read becomes part of the configuration, and everything else is a folder.
import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, isAbsolute, join } from "node:path";
import { type DraftContainer, HOME } from "./draft.ts";
import type { Place } from "./findings.ts";

export const NOT_HERE = "is not here, so that its content cannot be read: import it on the machine that has it";

const LIKE_A_FILE =
  /\.(conf|cfg|ini|json[a-z]?|ya?ml|toml|env|sh|sql|xml|txt|crt|key|pem|php|cnf|lua|js|html|py|properties)$/i;

/** @param file the compose file or Quadlet that has the mount. */
export function mounted(
  container: DraftContainer,
  file: string,
  source: string,
  target: string,
  options: readonly string[],
  place: Place,
): void {
  const own = source.startsWith(".") || HOME.test(source);
  const content = own ? textBeside(file, source) : undefined;
  if (content !== undefined) {
    container.file(target, content, place);
    if (!options.includes("ro"))
      container.changed(
        place,
        `volume ${source}`,
        "is a file of the configuration now, which the container only reads",
      );
  } else if (own && LIKE_A_FILE.test(source) && !isFolder(file, source))
    container.lost(place, `volume ${source}`, NOT_HERE);
  else container.mount(source, target, options, place);
}

/** The text of a file, by a path from the file that names it; undefined if it cannot be read. */
export function textBeside(file: string, source: string): string | undefined {
  try {
    const path = found(file, source);
    if (!statSync(path).isFile()) return undefined;
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch {
    return undefined;
  }
}

function isFolder(file: string, source: string): boolean {
  try {
    return statSync(found(file, source)).isDirectory();
  } catch {
    return false;
  }
}

function found(file: string, source: string): string {
  const path = source.replace(/^(~|%h|\$HOME)(?=\/|$)/, homedir()).replace(/^%E(?=\/|$)/, join(homedir(), ".config"));
  return isAbsolute(path) ? path : join(dirname(file), path);
}
