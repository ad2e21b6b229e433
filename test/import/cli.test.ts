import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse } from "yaml";

const CLI = join(import.meta.dirname, "../../import/cli.ts");
const folder = mkdtempSync(join(tmpdir(), "import-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

function run(...args: string[]): Promise<{ status: number; out: string; err: string }> {
  return new Promise((done) =>
    execFile(process.execPath, [CLI, ...args], (error, out, err) =>
      done({ status: error ? Number(error.code) : 0, out, err }),
    ),
  );
}
const file = (text: string) => {
  const path = join(folder, "wiki.yaml");
  writeFileSync(path, text);
  return path;
};

test("the entry is YAML on stdout, and what is not in it is on stderr, with exit code 2", async () => {
  const path = file("services:\n  web:\n    image: wiki:3.1\n    pid: host\n    environment: { TOKEN: abc }\n");
  const { status, out, err } = await run(path, "--name", "wiki");
  expect(status).toBe(2);
  expect(parse(out)).toEqual({
    config: {
      "gatehouse:apps": {
        wiki: {
          containers: { web: { image: "docker.io/library/wiki:3.1", secretEnvironment: { TOKEN: "configured" } } },
        },
      },
    },
  });
  expect(err).toBe(
    `not carried over:\n  ${path}:4: web: pid: containers have their own processes\n` +
      `secrets to set, each with its value on stdin:\n  pulumi config set --secret --path 'gatehouse:appSecrets["wiki"]["TOKEN"]'\n`,
  );
});

test("exit code 0 says that everything is carried over", async () => {
  expect(await run(file("services:\n  web:\n    image: wiki:3.1\n"))).toMatchObject({ status: 0, err: "" });
});

test.each<[string, string[], RegExp]>([
  ["no file", [], /no file is named/],
  ["a missing file", ["nowhere.yaml"], /ENOENT.*nowhere\.yaml/],
  ["an unknown option", ["--nonsense"], /nonsense/],
])("with %s it ends with the reason", async (_, args, reason) => {
  const { status, err } = await run(...args);
  expect([status, err]).toEqual([1, expect.stringMatching(reason)]);
});

test("a file that is no compose file is refused with its line", async () => {
  expect((await run(file("services: [\n"))).err).toMatch(/line 2/);
  expect((await run(file("a: 1\n"))).err).toMatch(/wiki\.yaml has no services/);
});
