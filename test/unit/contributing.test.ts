// The changes described in CONTRIBUTING.md apply to the files of this checkout. A test on a host carries them out.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { blocksOf, ROOT } from "../documents/blocks.ts";

const folder = mkdtempSync(join(tmpdir(), "contributing-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

const patches = blocksOf("CONTRIBUTING.md").filter(({ kind, words }) => kind === "diff" && words[0]);

test("there are changes of several files", () => {
  expect(patches.length).toBeGreaterThan(4);
});

test.each(patches.map(({ words: [path = ""], text, line }) => [path, line, text] as const))(
  "%s changes according to line %i",
  (path, _, text) => {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    cpSync(join(ROOT, path), join(folder, path));
    const { status, stderr } = spawnSync("git", ["apply", "--recount", "--unidiff-zero", "-"], {
      cwd: folder,
      input: `--- a/${path}\n+++ b/${path}\n${text}`,
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([0, ""]);
  },
);
