// A version that occurs in several places is the same in all of them.
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const { dependencies, devDependencies, engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const WORKFLOWS = ".github/workflows/*.yml";

/** The matches of a pattern in the files, each with its file. */
function found(files: string, pattern: RegExp): [string, string][] {
  return globSync(files, { cwd: ROOT }).flatMap((file) =>
    [...readFileSync(join(ROOT, file), "utf8").matchAll(pattern)].map(([, version]): [string, string] => [
      file,
      version ?? "",
    ]),
  );
}

test.each<[what: string, version: string, places: [files: string, pattern: RegExp][]]>([
  [
    "Pulumi",
    dependencies["@pulumi/pulumi"],
    [
      [WORKFLOWS, /pulumi-version: (.+)/g],
      ["test/engine/go.mod", /github\.com\/pulumi\/pulumi\/(?:pkg|sdk)\/v3 v(\S+)/g],
      ["examples/app/package.json", /"@pulumi\/pulumi": "(.+)"/g],
      ["docs/platform.md", /@pulumi\/pulumi@(\S+)/g],
    ],
  ],
  [
    "the command plugin",
    dependencies["@pulumi/command"],
    [["test/engine/stand-in/*-command/main.go", /\tVersion: +"(.+)"/g]],
  ],
  [
    "the random plugin",
    dependencies["@pulumi/random"],
    [["test/engine/stand-in/*-random/main.go", /\tVersion: +"(.+)"/g]],
  ],
])("%s is %s everywhere", (_, version, places) => {
  for (const [files, pattern] of places) {
    const all = found(files, pattern);
    expect(all.length, `${pattern} in ${files}`).toBeGreaterThan(0);
    expect(all.filter(([, other]) => other !== version)).toEqual([]);
  }
});

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
/** A document's text on one line, since its lines may break anywhere. */
const prose = (path: string) => read(path).replace(/\s+/g, " ");

test("the Node version is only in .node-version, and its types have the same major version", () => {
  const version = read(".node-version").trim();
  expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  expect(read("test/engine/setup")).toContain('cached_node=$(<"$repo/.node-version")\n');
  const actions = found(WORKFLOWS, /uses: actions\/setup-node@/g);
  expect(actions.length).toBeGreaterThan(3);
  expect(found(WORKFLOWS, /^ +node-version-file: (.+)$/gm).map(([, file]) => file)).toEqual(
    actions.map(() => ".node-version"),
  );
  expect(found(WORKFLOWS, /(node-version):/g)).toEqual([]);
  expect(found(".devcontainer/Dockerfile", /^FROM node:([\d.]+)-/gm)).toEqual([[".devcontainer/Dockerfile", version]]);
  const [line] = version.split(".");
  expect(devDependencies["@types/node"]).toMatch(new RegExp(`^${line}\\.`));
  expect(prose("CONTRIBUTING.md")).toContain(`Node ${line}`);
});

test("the oldest Node version is only in package.json, and the documents match it", () => {
  const oldest = engines.node.replace(/^>=/, "");
  expect(oldest).toMatch(/^\d+\.\d+$/);
  expect(read("test/engine/setup")).toMatch(/^oldest_node=\$\(sed .*package\.json"\)$/m);
  for (const document of ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/decisions/012-node-strips-types.md"])
    expect(prose(document), document).toMatch(new RegExp(`Node (is still )?${oldest} (or|and) newer`));
});

test("the oldest Python version of a host is that of the agent's pyproject.toml", () => {
  const [[, oldest] = []] = found("agent/pyproject.toml", /^requires-python = ">=(.+)"$/gm);
  expect(oldest).toMatch(/^3\.\d+$/);
  expect(read("agent/bootstrap/preflight.sh")).toContain(`"Python ${oldest} or newer`);
  expect(read("test/tools/requirements.txt")).toContain(`--python-version ${oldest} `);
  for (const document of ["agent/README.md", "CONTRIBUTING.md"])
    expect(prose(document), document).toContain(`Python ${oldest}`);
});
