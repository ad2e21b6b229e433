// A version that stands in several places is the same in all of them.
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const WORKFLOWS = ".github/workflows/*.yml";

/** What a pattern finds in the files, with the file of each. */
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

test("Node is one version in the tools and in the workflows, and its types are of that line", () => {
  const [[, version] = []] = found("test/engine/setup", /^cached_node=(.+)$/gm);
  const workflows = found(WORKFLOWS, /node-version: (.+)/g);
  expect(workflows.length).toBeGreaterThan(3);
  expect(new Set(workflows.map(([, other]) => other))).toEqual(new Set([version]));
  expect(devDependencies["@types/node"]).toMatch(new RegExp(`^${version?.split(".")[0]}\\.`));
});
