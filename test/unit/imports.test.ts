// Import rules: those of .dependency-cruiser.mjs, tested on a tree of files with one import each.
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import extractDepcruiseOptions from "dependency-cruiser/config-utl/extract-depcruise-options";
import { beforeAll, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

const REFUSED = [
  ["components/caddy", "../postgres/manifest.ts", "components/caddy"],
  ["components/caddy", "../app/names.ts", "components/caddy"],
  ["components/authentik", "../valkey/valkey.ts", "components/authentik"],
  ["components/app", "../postgres/postgres.ts", "components/app"],
  ["components/app", "../platform/contract.ts", "components/app"],
  ["components/valkey", "../config/load.ts", "components/valkey"],
  ["components/site", "../caddy/manifest.ts", "components/site"],
  ["components/host", "../caddy/caddy.ts", "components/host"],
  ["components/connection", "../host/host.ts", "components/connection"],
  ["components/render", "../../protocol/manifest.ts", "components/render"],
  ["components/quadlet", "../authentik/manifest.ts", "components/quadlet"],
  ["components/schema", "../config/schema.ts", "components/schema"],
  ["protocol", "../components/host/host.ts", "protocol"],
  ["plan/read", "../../components/valkey/manifest.ts", "plan/read"],
  ["plan/read", "../report/report.ts", "plan/read"],
  ["plan/predict", "../render/words.ts", "plan/predict"],
  ["plan/cli", "../../components/config/load.ts", "plan/cli"],
  ["import", "../plan/read/preview.ts", "import"],
  ["policy", "../components/host/host.ts", "policy"],
  ["components/caddy", "../../plan/report/report.ts", "the plan is not read"],
  ["components/platform", "../../plan/report/report.ts", "the plan is not read"],
  ["components/postgres", "@pulumi/command", "@pulumi/command"],
  ["components/connection", "@pulumi/command", "@pulumi/command"],
  ["plan/read", "@pulumi/command", "@pulumi/command"],
  ["components/host", "ssh2", "ssh2"],
  ["components/host", "@pulumi/random", "@pulumi/random"],
  ["components/host", "@pulumi/pulumi/runtime/debuggable.js", "@pulumi/pulumi's private parts"],
  ["components/site", "@pulumi/pulumi", "pure"],
  ["protocol", "@pulumi/pulumi", "pure"],
  ["components/caddy", "vitest", "installed with the package"],
  ["components/caddy", "../host/hostt.ts", "resolved"],
  ["components/mail", "../host/host.ts", "a room of the list"],
] as const;

const ACCEPTED = [
  ["components/caddy", "../render/render.ts"],
  ["components/caddy", "../../protocol/manifest.ts"],
  ["components/authentik", "../quadlet/quadlet.ts"],
  ["components/app", "../host/release.ts"],
  ["components/app", "../site/site.ts"],
  ["components/host", "../connection/agent.ts"],
  ["components/sdk", "../../protocol/placeholder.ts"],
  ["components/config", "../valkey/schema.ts"],
  ["components/platform", "../sdk/known.ts"],
  ["plan/read", "../../protocol/manifest.ts"],
  ["plan/report", "../../components/quadlet/quadlet.ts"],
  ["plan/render", "../../components/render/plain.ts"],
  ["components/postgres", "@pulumi/random"],
  ["components/host", "@pulumi/command"],
  ["components/connection", "ssh2"],
  ["components/sdk", "@pulumi/pulumi/runtime/debuggable.js"],
  ["plan/read", "@pulumi/pulumi/automation/index.js"],
  ["components/app", "@pulumi/pulumi"],
  ["policy", "@pulumi/policy"],
  ["import", "../components/app/entry.ts"],
] as const;

let broken: (file: string) => string[];

beforeAll(async () => {
  mkdirSync(join(ROOT, ".state"), { recursive: true });
  // Below the checkout, where packages are found.
  const tree = mkdtempSync(join(ROOT, ".state/imports-"));
  const write = (file: string, ...imports: readonly string[]) => {
    mkdirSync(join(tree, dirname(file)), { recursive: true });
    writeFileSync(join(tree, file), imports.map((path) => `import type {} from "${path}";\n`).join(""));
    return `./${file}`;
  };
  copyFileSync(join(ROOT, "package.json"), join(tree, "package.json"));
  const all = [...REFUSED, ...ACCEPTED].map(([room, target], i) => {
    if (target.startsWith(".") && !target.endsWith("hostt.ts")) write(join(room, target));
    return write(`${room}/case-${i}.ts`, target);
  });
  write("index.ts", ...all, write("components/caddy/one.ts", "./other.ts"), "./components/caddy/caddy.ts");
  write("components/caddy/other.ts", "./one.ts");
  write("components/caddy/unused.ts");
  const rules = await extractDepcruiseOptions(join(ROOT, ".dependency-cruiser.mjs"));
  const { output } = await cruise(["index.ts", "components", "import", "protocol", "plan", "policy"], {
    ...rules,
    baseDir: tree,
  });
  const { violations } = (output as ICruiseResult).summary;
  broken = (file) =>
    violations
      .filter(({ from, to, rule }) => (rule.name === "no orphan" ? to : from) === file)
      .map(({ rule }) => rule.name);
  return () => rmSync(tree, { recursive: true });
});

test.each(REFUSED.map((row, i) => [...row, i] as const))("%s may not import %s: %s", (room, _, rule, i) => {
  expect(broken(`${room}/case-${i}.ts`)).toContain(rule);
});

test.each(ACCEPTED.map((row, i) => [...row, i + REFUSED.length] as const))("%s may import %s", (room, _, i) => {
  expect(broken(`${room}/case-${i}.ts`)).toEqual([]);
});

test("two files may not import each other, not even a type", () => {
  expect(broken("components/caddy/one.ts")).toEqual(["no circle"]);
});

test("an unreachable file is found, and one that index.ts reaches is not", () => {
  expect(broken("components/caddy/unused.ts")).toEqual(["no orphan"]);
  expect(broken("components/caddy/caddy.ts")).toEqual([]);
});
