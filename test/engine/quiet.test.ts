// What quiet() leaves out, and what it does not, as the engine under test/engine/with shows it.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const PROGRAM = `
import * as pulumi from "@pulumi/pulumi";
import { quiet } from "./components/host/quiet.ts";

if (process.env.QUIET) quiet();
new pulumi.ComponentResource("test:index:It", "it");
pulumi.log.warn("a warning");
pulumi.output(1).apply(() => {
  throw new Error("a fault of the program");
});
`;

let folder: string;

/** A preview that shows all that there is; it fails, as the program does. */
async function preview(variables: Record<string, string>): Promise<string> {
  const env = {
    ...process.env,
    PULUMI_BACKEND_URL: `file://${folder}/backend`,
    PULUMI_CONFIG_PASSPHRASE: "quiet test",
    ...variables,
  };
  const run = (...args: string[]) =>
    promisify(execFile)("pulumi", [...args, "--non-interactive", "--color", "never"], { cwd: folder, env });
  await run("stack", "select", "--create", "test");
  return run("preview", "--debug").then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }) => stdout + stderr,
  );
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "quiet-test-"));
  mkdirSync(join(folder, "backend"));
  for (const part of ["components", "node_modules"]) symlinkSync(join(ROOT, part), join(folder, part));
  writeFileSync(
    join(folder, "Pulumi.yaml"),
    "name: quiet\nmain: index.ts\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
  );
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "index.ts"), PROGRAM);
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the SDK's messages of its progress are gone; warnings and faults, with their place, are told as before", async () => {
  const [loud, quiet] = [await preview({}), await preview({ QUIET: "yes" })];
  expect(loud).toContain("Registering resource: t=test:index:It");
  expect(quiet).not.toContain("t=test:index:It");
  for (const told of [loud, quiet]) {
    expect(told).toContain("warning: a warning");
    expect(told).toMatch(/Error: a fault of the program\n\s+at \S*.*index\.ts:9:9/);
  }
});
