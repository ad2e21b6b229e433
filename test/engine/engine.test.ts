import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

// The engine under test/engine/with, real or stand-in, runs a small program the way the project's own is run.

const program = `
const { local } = require("@pulumi/command");
const { RandomPassword } = require("@pulumi/random");

const password = new RandomPassword("password", { length: 24 });
const greeting = new local.Command(
  "greeting",
  {
    create: "echo created | tee -a log",
    update: process.env.UPDATE,
    delete: "echo deleted after $PULUMI_COMMAND_STDOUT >>log",
    environment: { PASSWORD: password.result },
  },
  { ignoreChanges: process.env.IGNORE ? ["update"] : [] },
);
exports.password = password.result;
exports.greeting = greeting.stdout;
`;

let dir: string;
const run = promisify(execFile);

async function pulumi(args: string, variables: Record<string, string> = {}): Promise<string> {
  const env = {
    ...process.env,
    PULUMI_BACKEND_URL: `file://${dir}/backend`,
    PULUMI_CONFIG_PASSPHRASE: "engine test",
    UPDATE: "echo updated | tee -a log",
    ...variables,
  };
  const { stdout } = await run("pulumi", [...args.split(" "), "--non-interactive"], { cwd: dir, env });
  return stdout;
}
const log = () => readFile(join(dir, "log"), "utf8");

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "engine-test-"));
  await mkdir(join(dir, "backend"));
  await symlink(resolve(import.meta.dirname, "../../node_modules"), join(dir, "node_modules"));
  await writeFile(
    join(dir, "Pulumi.yaml"),
    "name: engine-test\nmain: index.js\nruntime:\n  name: nodejs\n  options:\n    typescript: false\n",
  );
  await writeFile(join(dir, "package.json"), "{}");
  await writeFile(join(dir, "index.js"), program);
  await pulumi("stack init test");
});
afterAll(() => rm(dir, { recursive: true }));

test("a program goes through create, update, preview and destroy", { timeout: 60_000 }, async () => {
  await pulumi("up --yes --skip-preview");
  expect(await log()).toBe("created\n");
  const outputs = JSON.parse(await pulumi("stack output --json --show-secrets"));
  expect(outputs).toEqual({ greeting: "created", password: expect.stringMatching(/^.{24}$/) });

  const state = await readFile(join(dir, "backend/.pulumi/stacks/engine-test/test.json"), "utf8");
  expect(state).toContain("echo created");
  expect(state).not.toContain(outputs.password);

  await pulumi("up --yes --skip-preview --expect-no-changes");

  const changed = { UPDATE: "echo changed from $PULUMI_COMMAND_STDOUT | tee -a log" };
  const plan = JSON.parse(await pulumi("preview --json", changed));
  expect(plan.changeSummary).toEqual({ same: 2, update: 1 });
  const { detailedDiff } = plan.steps.find(({ op }: { op: string }) => op === "update");
  expect(detailedDiff).toEqual({ update: { kind: "update", inputDiff: false } });
  expect(JSON.stringify(plan)).not.toContain(outputs.password);
  await pulumi("up --yes --skip-preview --expect-no-changes", { ...changed, IGNORE: "yes" });
  expect(await log()).toBe("created\n");

  await pulumi("up --yes --skip-preview", changed);
  expect(await log()).toBe("created\nchanged from created\n");

  await pulumi("destroy --yes --skip-preview");
  expect(await log()).toBe("created\nchanged from created\ndeleted after changed from created\n");
});
