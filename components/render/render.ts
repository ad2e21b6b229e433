import { fileURLToPath } from "node:url";
import * as grammars from "./grammars.ts";
import { templates } from "./templates.ts";

// The files are not HTML, so nothing is escaped.
const template = templates(fileURLToPath(new URL("templates/", import.meta.resolve("#package.json"))), false, grammars);

/**
 * Renders a template. Its path below templates/ is the file's path on the host, plus `.njk`; a comment at its top lists
 * the variables. A pure function of plain values: the caller lifts Outputs.
 *
 * @throws Error naming the template, and the variable that is undefined or the value that cannot be written in the file's grammar.
 * @example render("etc/caddy/Caddyfile", { email: "", admin: "/run/caddy/admin.sock" })
 */
export function render(name: string, view: object): string {
  try {
    return template(`${name}.njk`, view);
  } catch (error) {
    throw new Error(`template ${name}: ${(error as Error).message.replace(/^\(unknown path\)\s*/, "").trim()}`);
  }
}

/** A file on the host, rendered from a template. The caller adds the units to restart or reload. */
export const rendered = (path: string, owner: string, mode: string, template: string, view: object) => ({
  path,
  mode,
  owner,
  content: render(template, view),
});
