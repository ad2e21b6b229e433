import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * The URL of a document of this version: on the web if the package was published, otherwise that of the file.
 *
 * @example documentUrl("docs/manifest.md#exit-codes")
 */
export function documentUrl(path: string): string {
  const own = import.meta.resolve("#package.json");
  const { homepage } = JSON.parse(readFileSync(fileURLToPath(own), "utf8")) as { homepage?: string };
  return new URL(path, homepage ? `${homepage}/` : own).href;
}
