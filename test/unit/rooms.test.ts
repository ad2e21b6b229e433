import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const BIOME = `${ROOT}node_modules/@biomejs/biome/bin/biome`;
const SERVICES = "Services meet only in index.ts, through the types of their handles.";
const HOST = "Only components/host talks to a host";
const APPS = "An app may be another stack's: it takes facts by their shape, and no service.";
const SITE = "A site is a fragment for Caddy, whoever brings it; it knows no service.";
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
  ["render", "../host/host.ts", BELOW],
  ["quadlet", "../authentik/views.ts", BELOW],
  ["quadlet", "@pulumi/command", HOST],
  ["config", "@pulumi/command", HOST],
  ["platform", "@pulumi/command", HOST],
  ["app", "../postgres/postgres.ts", APPS],
  ["app", "../platform/contract.ts", APPS],
  ["app", "@pulumi/command", HOST],
  ["caddy", "../app/names.ts", SERVICES],
  ["site", "../caddy/views.ts", SITE],
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
  ["platform", "../sdk/known.ts"],
  ["app", "../host/release.ts"],
  ["app", "../quadlet/quadlet.ts"],
  ["app", "../site/site.ts"],
  ["site", "../../protocol/manifest.ts"],
])("the linter accepts components/%s importing %s", async (room, imports) => {
  const { accepted, told } = await lint(room, imports);
  expect(told).not.toMatch(/noRestrictedImports/);
  expect(accepted).toBe(true);
});
