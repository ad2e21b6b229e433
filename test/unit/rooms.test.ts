import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BIOME = `${ROOT}node_modules/@biomejs/biome/bin/biome`;
const SERVICES = "Services meet only in index.ts, through the types of their handles.";
const HOST = "Only components/host talks to a host";
const BELOW = "This room stands below the services and knows none of them.";

let files = 0;

/** What the linter says about a file in a room that imports something. */
async function lint(room: string, imports: string): Promise<{ accepted: boolean; told: string }> {
  const file = `${ROOT}components/${room}/rooms-test-${process.pid}-${++files}.ts`;
  await writeFile(file, `import * as other from "${imports}";\n\nexport const used = other;\n`);
  try {
    return await new Promise((resolve) =>
      execFile(BIOME, ["lint", "--colors=off", file], { cwd: ROOT }, (error, stdout, stderr) =>
        resolve({ accepted: !error, told: `${stdout}${stderr}`.replace(/\s+/g, " ") }),
      ),
    );
  } finally {
    await rm(file);
  }
}

test.concurrent.each([
  ["caddy", "../postgres/views.ts", SERVICES],
  ["authentik", "../valkey/valkey.ts", SERVICES],
  ["postgres", "@pulumi/command", HOST],
  ["valkey", "ssh2", HOST],
  ["host", "../caddy/caddy.ts", BELOW],
  ["render", "../host/manifest.ts", BELOW],
  ["quadlet", "../authentik/views.ts", BELOW],
  ["quadlet", "@pulumi/command", HOST],
  ["config", "@pulumi/command", HOST],
  ["platform", "@pulumi/command", HOST],
])("the linter refuses components/%s importing %s", async (room, imports, why) => {
  const { accepted, told } = await lint(room, imports);
  expect(told).toContain(why);
  expect(accepted).toBe(false);
});

test.concurrent.each([
  ["caddy", "../render/render.ts"],
  ["authentik", "../quadlet/quadlet.ts"],
  ["postgres", "@pulumi/random"],
  ["host", "@pulumi/command"],
  ["host", "./item.ts"],
  ["render", "nunjucks"],
  ["config", "../valkey/schema.ts"],
  ["platform", "../host/known.ts"],
])("the linter accepts components/%s importing %s", async (room, imports) => {
  const { accepted, told } = await lint(room, imports);
  expect(told).not.toMatch(/noRestrictedImports/);
  expect(accepted).toBe(true);
});
