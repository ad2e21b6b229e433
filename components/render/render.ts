import { fileURLToPath } from "node:url";
import nunjucks from "nunjucks";
import * as grammars from "./grammars.ts";

const TEMPLATES = fileURLToPath(new URL("templates/", import.meta.resolve("#package.json")));

// The files are not HTML, so nothing is escaped. An undefined value is an error, not an empty string.
const environment = new nunjucks.Environment(new nunjucks.FileSystemLoader(TEMPLATES), {
  autoescape: false,
  throwOnUndefined: true,
  trimBlocks: true,
  lstripBlocks: true,
});
for (const [grammar, encode] of Object.entries(grammars)) environment.addFilter(grammar, encode);

/**
 * Renders a template. Its path below templates/ is the file's path on the host, plus `.njk`; a comment at its top lists
 * the variables. A pure function of plain values: the caller lifts Outputs.
 *
 * @throws Error naming the template, and the value that is undefined or cannot be written in the file's grammar.
 * @example render("etc/caddy/Caddyfile", { email: "", admin: "/run/caddy/admin.sock" })
 */
export function render(template: string, view: object): string {
  try {
    return environment.render(`${template}.njk`, view);
  } catch (error) {
    throw new Error(`template ${template}: ${(error as Error).message.replace(/^\(unknown path\)\s*/, "").trim()}`);
  }
}

/** A file on the host, rendered from a template. The caller adds the units to restart or reload. */
export const rendered = (path: string, owner: string, mode: string, template: string, view: object) => ({
  path,
  mode,
  owner,
  content: render(template, view),
});
