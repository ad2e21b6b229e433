// test/tools/released: which version a host is upgraded from, on small repositories with tags.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const SCRIPT = resolve(import.meta.dirname, "../tools/released");
let folder: string;
let repository: string;

const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=it", "-c", "user.email=it@example.org", ...args], { cwd: repository });

/** A commit with this version in package.json; a tag is a release. */
function commit(version: string, tag?: string): void {
  const manifest = { name: "gatehouse", version };
  writeFileSync(join(repository, "package.json"), JSON.stringify(manifest));
  writeFileSync(
    join(repository, "package-lock.json"),
    JSON.stringify({ ...manifest, lockfileVersion: 3, packages: {} }),
  );
  git("add", ".");
  git("commit", "--quiet", "--allow-empty", "--message", version);
  if (tag) git("tag", tag);
}

/** The version of the release that the script finds in a clone, or its message. */
function released(clone = repository): string {
  const env = { ...process.env, GATEHOUSE_CACHE: join(folder, "cache") };
  const { stdout, stderr, status } = spawnSync(join(clone, "test/tools/released"), { env, encoding: "utf8" });
  return status === 0 ? JSON.parse(readFileSync(join(stdout.trim(), "package.json"), "utf8")).version : stderr;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "released-test-"));
  repository = join(folder, "repository");
  mkdirSync(join(repository, "test/tools"), { recursive: true });
  cpSync(SCRIPT, join(repository, "test/tools/released"));
  git("init", "--quiet");
});
afterAll(() => rmSync(folder, { recursive: true }));

test("before the first release it is a commit of this repository, which another one does not have", () => {
  commit("0.1.0");
  expect(released()).toMatch(
    /this clone has no commit [0-9a-f]{40}, and origin does not provide it: git fetch --unshallow/,
  );
});

test("it is the newest release, by its number; a release is upgraded from the one before", () => {
  commit("0.9.0", "v0.9.0");
  commit("0.10.0", "v0.10.0");
  expect(released()).toBe("0.9.0");
  commit("0.10.0");
  expect(released()).toBe("0.10.0");
});

test("a release that is not in the history of the commit does not count", () => {
  git("tag", "v0.11.0");
  git("checkout", "--quiet", "v0.9.0");
  commit("0.9.0");
  expect(released()).toBe("0.9.0");
  git("checkout", "--quiet", "v0.11.0");
});

test("a clone with one commit and no tags, as in CI, fetches the release alone", () => {
  const clone = join(folder, "clone");
  commit("0.11.0", "v0.11.1");
  execFileSync("git", ["clone", "--quiet", "--depth=1", "--no-tags", `file://${repository}`, clone], {
    stdio: "ignore",
  });
  rmSync(join(folder, "cache"), { recursive: true });
  expect(released(clone)).toBe("0.10.0");
});
