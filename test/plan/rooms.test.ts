// The plan stands on the manifests alone, and nothing stands on the plan.
import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BIOME = `${ROOT}node_modules/@biomejs/biome/bin/biome`;
let files = 0;

/** What the linter says about a file in a room that imports something. */
async function lint(room: string, imports: string): Promise<string> {
  const file = `${ROOT}${room}/plan-rooms-test-${process.pid}-${++files}.ts`;
  await writeFile(file, `import * as other from "${imports}";\n\nexport const used = other;\n`);
  try {
    return await new Promise((resolve) =>
      execFile(BIOME, ["lint", "--colors=off", file], { cwd: ROOT }, (_, stdout, stderr) => resolve(stdout + stderr)),
    );
  } finally {
    await rm(file);
  }
}

test.concurrent.each([
  ["plan/read", "../../components/valkey/views.ts"],
  ["plan/read", "../../components/config/load.ts"],
  ["plan/read", "@pulumi/command"],
  ["components/caddy", "../../plan/report/report.ts"],
  ["components/host", "../../plan/report/report.ts"],
  ["components/render", "../../plan/report/report.ts"],
  ["components/config", "../../plan/report/report.ts"],
])("the linter refuses %s importing %s", async (room, imports) => {
  expect(await lint(room, imports)).toContain("noRestrictedImports");
});

test.concurrent.each([
  ["plan/read", "../../protocol/manifest.ts"],
  ["plan/read", "../../components/quadlet/quadlet.ts"],
  ["plan/read", "@pulumi/pulumi/automation/index.js"],
])("the linter accepts %s importing %s", async (room, imports) => {
  expect(await lint(room, imports)).not.toContain("noRestrictedImports");
});
