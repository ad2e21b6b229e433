import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const SCRIPT = resolve(import.meta.dirname, "../../.github/scripts/publishable");

let checkout: string;

beforeEach(() => {
  checkout = mkdtempSync(join(tmpdir(), "publishable-test-"));
  mkdirSync(join(checkout, ".changeset"));
  write(".changeset/README.md", "");
  write("package.json", JSON.stringify({ name: "gatehouse", version: "0.2.0", private: true, files: ["dist"] }));
  write("CHANGELOG.md", "# Changelog\n\n## 0.2.0\n\n- A change.\n");
});
afterEach(() => rmSync(checkout, { recursive: true }));

const write = (path: string, text: string) => writeFileSync(join(checkout, path), text);
const manifest = () => JSON.parse(readFileSync(join(checkout, "package.json"), "utf8"));

const publishable = (tag: string) =>
  new Promise<{ status: number; text: string }>((resolve) => {
    const env = { ...process.env, GITHUB_REPOSITORY: "Me/it" };
    const child = execFile(SCRIPT, [tag], { cwd: checkout, env }, (_, stdout, stderr) =>
      resolve({ status: child.exitCode ?? 1, text: stdout + stderr }),
    );
  });

test("a finished release has its owner and its repository, and is no longer private", async () => {
  expect(await publishable("v0.2.0")).toEqual({ status: 0, text: "" });
  expect(manifest()).toEqual({
    name: "@me/gatehouse",
    version: "0.2.0",
    files: ["dist"],
    repository: { type: "git", url: "git+https://github.com/Me/it.git" },
    homepage: "https://github.com/Me/it/blob/v0.2.0",
  });
});

test("an unfinished release is refused with all faults, and stays private", async () => {
  write(".changeset/brave-owls.md", "");
  write("CHANGELOG.md", "# Changelog\n\n## 0.2.0, not released yet\n");
  const { status, text } = await publishable("v0.3.0");
  expect(status).toBe(1);
  expect(text.trim().split("\n")).toEqual([
    expect.stringContaining("the tag is v0.3.0, but package.json says 0.2.0"),
    expect.stringContaining("changes are not in CHANGELOG.md yet (brave-owls.md in .changeset)"),
    expect.stringContaining('CHANGELOG.md has no heading "## 0.2.0"'),
  ]);
  expect(manifest().private).toBe(true);
});
