import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

// The engine under test/engine/with, real or stand-in, runs a small program in the same way as the project's program.

const program = `
const { local } = require("@pulumi/command");
const { RandomPassword } = require("@pulumi/random");

const password = new RandomPassword("password", {
  length: 24,
  special: process.env.SPECIAL ? true : undefined,
  keepers: { of: process.env.KEEPER },
});
const pulumi = require("@pulumi/pulumi");
const { onError } = require("${resolve(import.meta.dirname, "../../components/sdk/error-hook.ts")}");
if (process.env.FAILS) {
  const hooks = onError("failure", (error) => "explained: " + /^data: .*/m.exec(error));
  const failing = new local.Command(
    "failing",
    { create: process.env.FAILS, delete: "echo told by the command; exit 4" },
    { hooks },
  );
  // A message about a resource that waits for the failing one.
  const waiting = new local.Command("waiting", { create: "true" }, { dependsOn: failing });
  pulumi.log.warn("not sent before it is created", waiting);
}
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
exports.hash = password.bcryptHash;
exports.greeting = greeting.stdout;
`;

interface Step {
  op: string;
  diffReasons?: string[];
  detailedDiff: unknown;
  newState: { type: string };
}

let dir: string;
const run = promisify(execFile);

async function pulumi(args: string, variables: Record<string, string> = {}): Promise<string> {
  const env = {
    ...process.env,
    PULUMI_BACKEND_URL: `file://${dir}/backend`,
    PULUMI_CONFIG_PASSPHRASE: "engine test",
    UPDATE: "echo updated | tee -a log",
    KEEPER: "January",
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

test("a program goes through create, update, preview and destroy", async () => {
  await pulumi("up --yes --skip-preview");
  expect(await log()).toBe("created\n");
  const outputs = JSON.parse(await pulumi("stack output --json --show-secrets"));
  expect(outputs).toEqual({
    greeting: "created",
    password: expect.stringMatching(/^.{24}$/),
    hash: expect.stringMatching(/^\$2a\$10\$[\w./]{53}$/),
  });

  const state = await readFile(join(dir, "backend/.pulumi/stacks/engine-test/test.json"), "utf8");
  expect(state).toContain("echo created");
  expect(state).not.toContain(outputs.password);
  expect(state).not.toContain(outputs.hash);

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

test("differences are reported like the real plugins do: one by property only, one also by path", async () => {
  await pulumi("up --yes --skip-preview");
  const { resources } = JSON.parse(await pulumi("stack export")).deployment;
  const stateOf = (type: string) => resources.find((resource: { type: string }) => resource.type === type);
  expect(stateOf("random:index/randomPassword:RandomPassword").outputs).toMatchObject({
    __meta: '{"schema_version":"3"}',
    id: "none",
    keepers: { of: "January" },
  });
  expect(stateOf("pulumi:providers:command").inputs).toHaveProperty("__pulumi-go-provider-version");

  // Setting a default explicitly changes nothing.
  await pulumi("preview --expect-no-changes", { SPECIAL: "yes" });

  const February = { KEEPER: "February" };
  const { steps } = JSON.parse(await pulumi("preview --json", February)) as { steps: Step[] };
  const replaced = steps.filter(({ newState }) => newState?.type === "random:index/randomPassword:RandomPassword");
  expect(replaced.length).toBeGreaterThan(0);
  for (const { diffReasons, detailedDiff } of replaced)
    expect([diffReasons, detailedDiff]).toEqual([["keepers"], null]);
  expect(steps.find(({ newState }) => newState?.type === "command:local:Command")).toMatchObject({
    op: "update",
    diffReasons: ["environment"],
    detailedDiff: { "environment.PASSWORD": { kind: "update" } },
  });
  const shown = await pulumi("preview --color never", February);
  expect(shown).toMatch(/RandomPassword password replace \[diff: ~keepers\]/);
  expect(shown).toMatch(/Command greeting update \[diff: ~environment\]/);
  await pulumi("destroy --yes --skip-preview");
});

test("an error hook gets the output of a failed command once; a destroy without the program shows the command's own error", async () => {
  const failure = (args: string, variables = {}) =>
    pulumi(args, variables).then(
      () => "no failure",
      (error: { stdout: string }) => error.stdout,
    );
  const once = await failure("up --yes --skip-preview --color never", { FAILS: "echo data: 7; exit 3" });
  expect(once).toMatch(/local:Command \(failing\):\s+error: explained: data: 7\n/);
  expect(once).toMatch(/exit status 3: running "echo data: 7; exit 3":\s+data: 7/);
  await pulumi("preview", { FAILS: "true" });
  await pulumi("up --yes --skip-preview", { FAILS: "true" });
  await pulumi("up --yes --skip-preview --expect-no-changes", { FAILS: "true" });
  const removed = await failure("up --yes --skip-preview --color never");
  expect(removed).toContain("told by the command");
  const destroyed = await failure("destroy --yes --skip-preview --color never");
  expect(destroyed).toContain("told by the command");
  expect(destroyed).not.toMatch(/hook/);
  await pulumi("state delete --yes urn:pulumi:test::engine-test::command:local:Command::failing");
  await pulumi("destroy --yes --skip-preview");
});

/** The plugins in the CLI's folder; the previous tests have used them. */
function plugins(): string[] {
  const folder = join(process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"), "plugins");
  return globSync("*/pulumi-*", { cwd: folder })
    .filter((path) => /^pulumi-(language|resource)-[a-z]+$/.test(basename(path)))
    .map((path) => join(folder, path));
}

test("a plugin ends at once at SIGINT, also in a background job, which ignores it", async () => {
  expect(plugins().map((path) => basename(path))).toContain("pulumi-resource-command");
  for (const plugin of plugins()) {
    const process = spawn("sh", ["-c", 'trap "" INT; exec "$0"', plugin], { stdio: ["ignore", "pipe", "inherit"] });
    await once(process.stdout, "data"); // its port
    const ended = once(process, "exit");
    process.kill("SIGINT");
    const [code] = await Promise.race([ended, setTimeout(4_000, ["still there"], { ref: false })]);
    if (process.exitCode === null) process.kill("SIGKILL");
    expect([basename(plugin), code]).toEqual([basename(plugin), 0]);
  }
});
