// A version that occurs in several places is the same in all of them.
import { spawnSync } from "node:child_process";
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
      ["examples/*/package.json", /"@pulumi\/pulumi": "(.+)"/g],
      ["docs/platform.md", /@pulumi\/pulumi@(\S+)/g],
    ],
  ],
  [
    "the command plugin",
    dependencies["@pulumi/command"],
    [
      ["test/engine/stand-in/*-command/main.go", /\tVersion: +"(.+)"/g],
      ["examples/*/package.json", /"@pulumi\/command": "(.+)"/g],
    ],
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

test("the oldest Pulumi CLI is the one of the projects, and the documents match it", () => {
  const [, oldest = ""] = /^oldest_cli=(.+)$/m.exec(read("test/engine/setup")) ?? [];
  expect(oldest).toMatch(/^3\.\d+$/);
  const projects = found("{Pulumi,examples/*/Pulumi,policy/PulumiPolicy}.yaml", /^requiredPulumiVersion: "(.+)"$/gm);
  expect(projects.map(([, range]) => range)).toEqual(Array(4).fill(`>=${oldest}.0`));
  expect(prose("README.md")).toContain(`Pulumi ${oldest} or newer`);
});

test.each([
  ["16.20.0", true],
  ["22.17.9", true],
  [`${engines.node.replace(/^>=/, "")}.0`, false],
  ["25.0.0", false],
])("Node %s loads the program, or says that it is too old: %s", (version, refused) => {
  const check = join(ROOT, "components/sdk/node-version.cjs");
  const program = `Object.defineProperty(process, "versions", { value: { node: "${version}" } }); require("${check}"); console.log("loaded")`;
  const { status, stdout, stderr } = spawnSync(process.execPath, ["-e", program], { encoding: "utf8" });
  expect([status, stdout]).toEqual(refused ? [1, ""] : [0, "loaded\n"]);
  if (refused)
    expect(stderr).toMatch(
      /^gatehouse needs Node [\d.]+ or newer, and this is Node [\d.]+ \(.*\): install a newer one, and put it first on PATH/,
    );
});

test("Pulumi and the npm scripts check the version of Node first", () => {
  const { scripts } = JSON.parse(read("package.json"));
  expect(read("Pulumi.yaml")).toMatch(/^ {4}nodeargs: --require=\.\/components\/sdk\/node-version\.cjs /m);
  for (const path of ["examples/app/Pulumi.yaml", "examples/server/Pulumi.yaml", "docs/platform.md"])
    expect(read(path), path).toMatch(
      /^ {4}nodeargs: --require=\.\/node_modules\/gatehouse\/components\/sdk\/node-version\.cjs$/m,
    );
  for (const name of ["plan", "drift"])
    expect(scripts[name]).toMatch(/^node --require \.\/components\/sdk\/node-version\.cjs .*plan\//);
});

test("the oldest Python version of a host is that of the agent's pyproject.toml", () => {
  const [[, oldest] = []] = found("agent/pyproject.toml", /^requires-python = ">=(.+)"$/gm);
  expect(oldest).toMatch(/^3\.\d+$/);
  expect(read("agent/bootstrap/preflight.sh")).toContain(`"Python ${oldest} or newer`);
  expect(read("test/tools/requirements.txt")).toContain(`--python-version ${oldest} `);
  for (const document of ["agent/README.md", "CONTRIBUTING.md"])
    expect(prose(document), document).toContain(`Python ${oldest}`);
});
