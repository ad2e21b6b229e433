// The diagnostics that quiet() disables and those that it keeps, with the engine under test/engine/with.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");
const BEGINNING = `
import * as pulumi from "@pulumi/pulumi";
import { quiet } from "./components/sdk/quiet.ts";

if (process.env.QUIET) quiet();
`;
const FAULTY = `${BEGINNING}new pulumi.ComponentResource("test:index:It", "it");
pulumi.log.warn("a warning");
pulumi.output(1).apply(() => {
  throw new Error("a fault of the program");
});
`;
const TRACED = `${BEGINNING}let frames = 0;
Error.prepareStackTrace = (_, sites) => {
  frames += sites.length;
  return sites.map((site) => "\\n    at " + site).join("");
};
new pulumi.ComponentResource("test:index:It", "it");
Reflect.deleteProperty(Error, "prepareStackTrace");
pulumi.log.warn("frames: " + frames);
`;
const LEAKING = `${BEGINNING}const dependsOn = pulumi.output(new Promise(() => {}));
new pulumi.ComponentResource("test:index:Never", "never", {}, { dependsOn });
`;

let folder: string;

/** A preview with full output; fails if the program fails. */
async function preview(program: string, variables: Record<string, string>): Promise<string> {
  writeFileSync(join(folder, "index.ts"), program);
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
});
afterAll(() => rmSync(folder, { recursive: true }));

test("the SDK's progress messages are gone; warnings and errors are reported as before, with their location", async () => {
  const [loud, quiet] = [await preview(FAULTY, {}), await preview(FAULTY, { QUIET: "yes" })];
  expect(loud).toContain("Registering resource: t=test:index:It");
  expect(quiet).not.toContain("t=test:index:It");
  for (const reported of [loud, quiet]) {
    expect(reported).toContain("warning: a warning");
    expect(reported).toMatch(/Error: a fault of the program\n\s+at \S*.*index\.ts:9:9/);
  }
});

test("a resource takes one stack trace, for its location, and not dozens", async () => {
  const frames = async (variables: Record<string, string>) =>
    Number(/frames: (\d+)/.exec(await preview(TRACED, variables))?.[1]);
  expect(await frames({ QUIET: "yes" })).toBeLessThan((await frames({})) / 4);
});

test("a promise that never settles is reported as before; with PULUMI_DEBUG_PROMISE_LEAKS also where it was created", async () => {
  const leaked = (variables: Record<string, string>) => preview(LEAKING, { QUIET: "yes", ...variables });
  const reported = await leaked({});
  expect(reported).toContain('"never" [test:index:Never] was waiting for its dependencies to resolve');
  expect(reported).not.toContain("STACK_TRACE");
  expect(await leaked({ PULUMI_DEBUG_PROMISE_LEAKS: "yes" })).toMatch(/STACK_TRACE:\n(.*\n){1,12}\s+at .*index\.ts/);
});
