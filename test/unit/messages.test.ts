// docs/messages.md lists messages as the program prints them: each is in a source, or is marked as one of Pulumi's.
import { spawnSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const sources = globSync(["{components,plan,protocol}/**/*.{ts,cjs}", "agent/{src,bootstrap}/**/*.{py,sh}"], {
  cwd: ROOT,
})
  .map((file) => readFileSync(join(ROOT, file), "utf8"))
  .join("\n");

/** The fixed parts of each message in the second column of a row; those of Pulumi are none of ours. */
function fragments(document: string): string[] {
  const rows = document.split("\n").filter((line) => /^\| (?!what you did)/.test(line));
  return rows.flatMap((row) => {
    const [, , message = ""] = row.split(/(?:^| )\|(?: |$)/);
    const own = message.replace(/Pulumi: `[^`]*`( or `[^`]*`)?|^none: .*/g, "");
    return [...own.matchAll(/`([^`]+)`/g)].flatMap(([, text = ""]) => text.split("..."));
  });
}
const missing = (document: string) =>
  fragments(document)
    .map((fragment) => fragment.trim())
    .filter((fragment) => /[a-z]{3}.* /.test(fragment) && !sources.includes(fragment));

test("each message of the page is one that the program prints", () => {
  const page = readFileSync(join(ROOT, "docs/messages.md"), "utf8");
  expect(fragments(page).length).toBeGreaterThan(40);
  expect(missing(page)).toEqual([]);
});

test("a checkout has line feeds, whatever the machine's setting", () => {
  const files = ["agent/bootstrap/preflight.sh", "templates/etc/caddy/Caddyfile.njk", "components/host/host.ts"];
  const { stdout } = spawnSync("git", ["-c", "core.autocrlf=true", "check-attr", "eol", "--", ...files], {
    cwd: ROOT,
    encoding: "utf8",
  });
  expect(stdout).toBe(files.map((file) => `${file}: eol: lf\n`).join(""));
});

test("a message that the program does not print is found, and one of Pulumi is not ours", () => {
  const row = (message: string) => missing(`| did it | ${message} | do that |`);
  expect(row("`zebras are striped ... on all sides`")).toEqual(["zebras are striped", "on all sides"]);
  expect(row("`unknown key`")).toEqual([]);
  expect(row("Pulumi: `no such thing`")).toEqual([]);
});
