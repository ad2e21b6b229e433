// What can be said of the documents without a host: each block is of a known kind and can be read, and no link leads nowhere.
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative } from "node:path";
import { expect, test } from "vitest";
import {
  blocksOf,
  exchanges,
  fits,
  isCommands,
  isFile,
  isRun,
  MARKS,
  MIGRATION,
  ROOT,
  script,
  TOLD_IN_ORDER,
} from "../documents/blocks.ts";
import { faults, type Table } from "./configuration.ts";

const DOCUMENTS = [
  ...globSync("*.md", { cwd: ROOT }),
  ...globSync("{docs,docs/decisions,examples/app}/*.md", { cwd: ROOT }),
].sort();
const FOLLOWED = [...TOLD_IN_ORDER, MIGRATION];
const text = (document: string) => readFileSync(ROOT + document, "utf8");

test("commands to run are in a document that a test follows, or are marked", () => {
  const elsewhere = DOCUMENTS.filter((document) => !FOLLOWED.includes(document));
  const unseen = elsewhere.flatMap((document) =>
    blocksOf(document).filter((block) => isCommands(block) && isRun(block)),
  );
  expect(unseen.map(({ document, line }) => `${document}:${line}`)).toEqual([]);
  for (const document of FOLLOWED) expect(blocksOf(document).filter(isRun), document).not.toEqual([]);
});

test.each(FOLLOWED)("%s has no block without a fence, which no test would see", (document) => {
  let fenced = false;
  let before = "";
  for (const [index, line] of text(document).split("\n").entries()) {
    if (/^ *(```|<!--)/.test(line)) fenced = !fenced && !line.includes("-->");
    else if (/^ *-->/.test(line)) fenced = false;
    else if (!fenced && before === "") expect(line, `line ${index + 1}`).not.toMatch(/^ {4}/);
    before = line.trim();
  }
});

/** What bash says of each text that it cannot read, and nothing of others. One shell reads all, each in a child. */
function complaints(texts: string[]): string[] {
  const each = String.raw`while IFS= read -rd "" text; do (eval $'set -n\n'"$text") 2>&1; printf '\0'; done`;
  const input = texts.map((text) => `${text}\0`).join("");
  return spawnSync("bash", ["-c", each], { input, encoding: "utf8" }).stdout.split("\0").slice(0, -1);
}

test("bash reads a text without running it, and one that it cannot read is found", () => {
  const [good, bad, open] = complaints(["cat <<E\n$(echo run >&2)\nE\necho run", "if true\n", "echo 'a\n"]);
  expect(good).toBe("");
  expect(bad).toContain("syntax error");
  expect(open).toContain("unexpected EOF");
});

const COMMANDS = DOCUMENTS.flatMap((document) => blocksOf(document).filter(isCommands));
const COMPLAINTS = complaints(COMMANDS.map(script));
test.each(DOCUMENTS)("bash can read every command of %s, and every mark is known", (document) => {
  expect(COMPLAINTS).toHaveLength(COMMANDS.length);
  for (const [index, block] of COMMANDS.entries()) {
    if (block.document !== document) continue;
    const where = `line ${block.line}`;
    for (const word of block.words) expect(MARKS, where).toContain(word);
    expect(COMPLAINTS[index], where).toBe("");
  }
});

test("configurations of a stack in the documents are accepted", async () => {
  const files = FOLLOWED.flatMap((document) => blocksOf(document).filter(isFile));
  const stacks = files.filter(({ words: [path = ""] }) => path.startsWith("Pulumi."));
  expect(stacks.length).toBeGreaterThan(1);
  for (const { text, document } of stacks) {
    const { config } = load(text);
    const settings = Object.entries(config).map(([key, value]) => [key.replace("gatehouse:", ""), value]);
    const legible = JSON.parse(JSON.stringify(Object.fromEntries(settings)).replaceAll("AAAA...", "AAAAC3Nz"));
    expect(await faults(legible), document).toEqual([]);
  }
});

// A dependency of the SDK's; it has no types.
const { load } = createRequire(import.meta.url)("js-yaml") as { load(text: string): { config: Table } };

/** As GitHub makes them. */
const anchors = (document: string) =>
  [...text(document).matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
function faultOf(target: string, from: string): string | undefined {
  const [path = "", anchor] = target.split("#");
  const file = path ? relative(ROOT, join(ROOT, dirname(from), path)) : from;
  if (!existsSync(ROOT + file)) return `${from}: there is no ${file}`;
  if (anchor && !anchors(file).includes(anchor)) return `${from}: ${file} has no section ${anchor}`;
  return undefined;
}

test.each(DOCUMENTS)("no link of %s is broken", (document) => {
  const targets = [...text(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  const own = targets.filter((target) => !/^[a-z]+:/.test(target));
  expect(own.flatMap((target) => faultOf(target, document) ?? [])).toEqual([]);
});

test("every key of the configuration has a value, a default, a meaning and an example", () => {
  const [, , ...rows] = [...text("docs/configuration.md").matchAll(/^\|(.*)\|$/gm)].map(([, row = ""]) => row);
  expect(rows.length).toBeGreaterThan(40);
  for (const row of rows) {
    const cells = row.split("|").map((cell) => cell.trim());
    expect(cells, row).toHaveLength(5);
    expect(cells, row).not.toContain("");
  }
});

const DECISIONS = globSync("docs/decisions/0*.md", { cwd: ROOT }).sort();
test.each(DECISIONS)("%s has context, decision, consequences and rejected options, and is in the list", (path) => {
  const sections = [...text(path).matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  expect(sections).toEqual(["Context", "Decision", "Consequences", "Rejected"]);
  expect(text("docs/decisions/README.md")).toContain(`(${path.slice("docs/decisions/".length)})`);
});

test("a section that a message refers to exists", () => {
  const sources = globSync("{components,plan,templates}/**/*.{ts,py,sh,njk}", { cwd: ROOT });
  const named = sources.flatMap((source) =>
    [...text(source).matchAll(/\b(?:docs\/)?[\w-]+\.md(?:#[\w-]+)?/g)].map(([target]) => ({ source, target })),
  );
  expect(named.map(({ target }) => target)).toContain("docs/configuration.md");
  const missing = named.filter(({ target }) => target.startsWith("docs/") && faultOf(target, "README.md"));
  expect(missing).toEqual([]);
});

test("a link to a missing section is found", () => {
  expect(faultOf("docs/manifest.md#exit-codes", "README.md")).toBeUndefined();
  expect(faultOf("docs/manifest.md#exit-code", "README.md")).toBe(
    "README.md: docs/manifest.md has no section exit-code",
  );
  expect(faultOf("docs/manifesto.md", "README.md")).toBe("README.md: there is no docs/manifesto.md");
});

test("blocks are found with their line, their marks and without their indent; also comments that contain commands", () => {
  const markdown =
    "1. One\n\n   ```sh host\n   ls\n     -l\n   ```\n<!-- sh\ntrue\n-->\n<!-- a remark -->\n```yaml a.yaml\na: 1\n```\n";
  expect(blocksOf("x.md", markdown)).toEqual([
    { document: "x.md", line: 3, text: "ls\n  -l\n", kind: "sh", words: ["host"], hidden: false },
    { document: "x.md", line: 7, text: "true\n", kind: "sh", words: [], hidden: true },
    { document: "x.md", line: 11, text: "a: 1\n", kind: "yaml", words: ["a.yaml"], hidden: false },
  ]);
});

test("a session is commands and the output of each", () => {
  expect(exchanges("$ a \\\n  b\nout\n$ c\n")).toEqual([
    { command: "a \\\n  b", expected: ["out"] },
    { command: "c", expected: [] },
  ]);
  expect(() => exchanges("out\n$ a\n")).toThrow('a session begins with "$ "');
});

test.each([
  [["a"], "a\n", true],
  [["a"], "b\n", false],
  [["a"], "a\nb\n", false],
  [[], "", true],
  [[], "a\n", false],
  [["a", "...", "d"], "a\nb\nc\nd\n", true],
  [["a", "...", "d"], "a\nb\nc\n", false],
  [["generation ... of web"], "generation 3 of web\n", true],
  [["generation 2"], "generation 3\n", false],
  [["made  3 s ago"], "made 17 min ago\n", true],
  [["at 2026-11-24 13:39:00"], "at 2027-01-02 01:02:03\n", true],
  [["a.c"], "abc\n", false],
])("%j fits %j: %s", (expected, printed, whether) => {
  expect(fits(expected, printed)).toBe(whether);
});
