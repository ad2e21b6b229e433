// `npm run plan` with the engine under test/engine/with. A fake host answers as the agent would.
import { copyFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Report } from "../../plan/report/report.ts";
import { FULL } from "../plan/configurations.ts";
import { newKey, type Sshd } from "../unit/sshd.ts";
import { REPOSITORY, TestStack } from "./stack.ts";

const STACK = `plan-test-${process.pid}`;
let stack: TestStack;
let dir: string;
let server: Sshd;

const run: TestStack["run"] = (...args) => stack.run(...args);
const plan = (...args: string[]) => run("npm", ["run", "--silent", "plan", "--", ...stack.options, ...args]);
const configFile = () => stack.configFile;
const pulumi: TestStack["pulumi"] = (...args) => stack.pulumi(...args);
const configure: TestStack["configure"] = (...args) => stack.configure(...args);

beforeAll(async () => {
  stack = await TestStack.create(STACK);
  ({ dir, server } = stack);
});
afterAll(() => stack.remove());

test("a stack without a configuration, and a stack that does not exist, are named with the next step", async () => {
  const plain = (...args: string[]) => run("npm", ["run", "--silent", "plan", "--", ...args]);
  const unconfigured = await plain("--stack", `${STACK}-none`);
  expect(unconfigured.status).toBe(1);
  expect(unconfigured.stderr).toContain(
    `Pulumi.${STACK}-none.yaml does not exist, so stack ${STACK}-none has no configuration`,
  );
  const absent = await plain("--stack", `${STACK}-none`, "--config-file", configFile());
  expect(absent.status).toBe(1);
  expect(absent.stderr).toContain(`no stack named '${STACK}-none' found`);
  expect(absent.stderr).toContain("`pulumi stack ls --all`");
});

test("an update plan is refused at the start, when it is made and when it is followed", async () => {
  const asked = server.asked.length;
  const file = join(dir, "update-plan.json");
  const [type, name] = ["pulumi:pulumi:Stack", `gatehouse-${STACK}`];
  const goal = { type, name, custom: false };
  const resourcePlans = {
    [`urn:pulumi:${STACK}::gatehouse::${type}::${name}`]: { goal, steps: ["create"], state: {} },
  };
  const manifest = { time: "2026-11-30T00:00:00Z", magic: "", version: "" };
  await writeFile(file, JSON.stringify({ resourcePlans, manifest, config: {} }));
  for (const args of [
    ["preview", `--save-plan=${file}`],
    ["up", "--yes", "--skip-preview", "--plan", file],
  ]) {
    const { status, stdout } = await run("pulumi", [...args, "--non-interactive", ...stack.options]);
    expect([args[0], status === 0, stdout]).toEqual([
      args[0],
      false,
      expect.stringContaining("update plans (--save-plan, --plan) do not work with gatehouse; nothing was changed."),
    ]);
  }
  expect(server.asked.length).toBe(asked);
});

test("a configuration that is too large for Pulumi is named, with its size", async () => {
  await configure({
    caddy: { ...FULL.caddy, sites: { x: { domain: "x.example.org", directives: "a".repeat(200_000) } } },
  });
  const { status, stderr } = await plan();
  await configure();
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /argument list too long\nThe configuration has 19\d KiB, as Pulumi passes it .* holds 128 KiB/s,
  );
});

test("its size is that of the variable, not that of the file", async () => {
  const site = { domain: "x.example.org", directives: "<".repeat(25_000) };
  await configure({ caddy: { ...FULL.caddy, sites: { x: site } } });
  const escaped = await plan();
  expect([escaped.status, escaped.stderr]).toEqual([
    1,
    expect.stringMatching(/argument list too long\nThe configuration has 17\d KiB, as Pulumi passes it/),
  ]);
  await configure({ authentik: { domain: "not a domain", version: "2026.8.3" } });
  await writeFile(configFile(), `${await readFile(configFile(), "utf8")}\n# ${"a comment ".repeat(20_000)}`);
  const commented = await plan();
  expect(commented.stderr).toContain("authentik.domain: ");
  expect(commented.stderr, "a comment is not passed on").not.toContain("KiB");
  await configure();
});

test("a fresh stack: everything starts, and the plan is written in each format", async () => {
  const [md, html, json] = ["plan.md", "plan.html", "plan.json"].map((name) => join(dir, name)) as [
    string,
    string,
    string,
  ];
  const { status, stdout, stderr } = await plan("--out", md, "--html", html, "--json", json);
  expect(stderr).toBe(`preview of ${STACK}\nwrote ${md}\nwrote ${html}\nwrote ${json}\n`);
  expect(status, "drift is off").toBe(4);
  expect(stdout).toMatch(
    /^plan-test-\d+: the host was not inspected, so its drift is unknown; \d+ files, 9 starts, 0 reloads, 0 restarts, 2 new databases, no data touched\n/,
  );
  const first = "the host was not inspected, so its drift is unknown; ";
  expect(await readFile(md, "utf8")).toContain(`### Plan for ${STACK}: ${first}`);
  expect(await readFile(html, "utf8")).toContain(`<title>Plan for ${STACK}: ${first}`);
  const report = JSON.parse(await readFile(json, "utf8")) as Report;
  expect([report.schemaVersion, report.project, report.stack]).toEqual([2, "gatehouse", STACK]);
  expect(report).toMatchObject({ notInspected: "off", changes: true, summary: expect.stringContaining(first) });
  expect(server.asked).toEqual([]);
});

test("after the deployment: nothing to do, and one change is that change only", async () => {
  await configure({ drift: true });
  await pulumi(["up", "--yes", "--skip-preview", ...stack.options]);
  expect(await plan()).toMatchObject({ status: 0, stdout: `${STACK}: nothing to do\n` });

  await configure();
  const asked = server.asked.length;
  expect(await plan(), "a plan that did not inspect the host cannot say that there is nothing to do").toMatchObject({
    status: 4,
    stdout: `${STACK}: the host was not inspected, so its drift is unknown; no change in the configuration\n`,
  });

  await configure({ postgres: { ...FULL.postgres, settings: { max_connections: 120 } } });
  const restart = await plan("--fail-on", "restart,destroy");
  expect(restart.stdout).toMatch(/; 2 files, 0 reloads, 1 restart, no data touched\n/);
  expect(restart.stderr).toContain("refused by --fail-on: the plan has restart\n");
  expect(restart.status).toBe(3);
  expect((await plan("--fail-on", "destroy")).status, "without a refused kind").toBe(4);

  await configure({}, newKey().private);
  const key = await plan();
  expect(key.status).toBe(4);
  expect(key.stdout).toMatch(
    /; 0 files, 0 reloads, 0 restarts, no data touched\n\nResent, with nothing to do on the host: /,
  );

  await configure({ valkey: { ...FULL.valkey, rotation: 2 } });
  const rotated = await plan();
  expect(rotated.stdout).toMatch(/; 2 files, 1 reload, 3 restarts, no data touched\n/);
  expect(server.asked.length).toBe(asked);
});

test("a host that cannot be reached is said first, has an exit code of its own, and hides no change", async () => {
  const closed = { address: "127.0.0.1", port: 9, hostKey: server.hostKey };
  await configure({ drift: true, host: closed, valkey: { ...FULL.valkey, rotation: 2 } });
  const { status, stdout } = await plan("--json", join(dir, "unreachable.json"));
  expect([status, stdout.split("\n")[0]]).toEqual([
    4,
    `${STACK}: the host cannot be reached, so its drift is unknown; 2 files, 1 reload, 3 restarts, no data touched`,
  ]);
  expect(stdout).toContain("127.0.0.1:9 cannot be reached");
  expect(JSON.parse(await readFile(join(dir, "unreachable.json"), "utf8"))).toMatchObject({
    notInspected: "unreachable",
    changes: true,
  });
  expect((await plan("--fail-on", "restart")).status, "a refusal goes first").toBe(3);
});

test("the steps of the workflows run exactly as written", async () => {
  const STEP = /^ +- run: (.*(?:npm run plan|pulumi ).*)$/gm;
  const steps = async (workflow: string) =>
    [...(await readFile(join(REPOSITORY, ".github/workflows", workflow), "utf8")).matchAll(STEP)].map(
      ([, step]) => step,
    );
  const preview = await steps("preview.yml");
  const deploy = await steps("deploy.yml");
  expect([preview.length, deploy.length]).toEqual([2, 1]);
  await configure({ caddy: { tls: "internal" } });
  const beside = join(REPOSITORY, `Pulumi.${STACK}.yaml`);
  await copyFile(configFile(), beside);
  try {
    for (const step of [...preview, ...deploy]) {
      const env = `export STACK=${STACK} RUN=https://ci.example.org/1 GATEHOUSE_DRIFT=off`;
      const inFolder = (step ?? "").replace(/\b(plan\.\w+)/g, `${dir}/step-$1`);
      const { status, stdout, stderr } = await run("bash", ["-eo", "pipefail", "-c", `${env}; ${inFolder}`]);
      expect(`${step}: ${status} ${status === 0 ? "" : stdout + stderr}`).toBe(`${step}: 0 `);
    }
    expect(await readFile(join(dir, "step-plan.md"), "utf8")).toMatch(/^<!-- gatehouse plan [0-9a-f]{12} -->\n/);
    await configure({ drift: true, caddy: { tls: "internal" } });
    expect(await plan()).toMatchObject({ status: 0 });
  } finally {
    await rm(beside);
  }
});

test("errors are reported, with exit code 1", async () => {
  await configure({ authentik: { domain: "not a domain", version: "2026.8.3" } });
  const wrong = await plan();
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain("the preview failed; nothing was changed:\n");
  expect(wrong.stderr).toContain("authentik.domain: ");
  await configure();
  await pulumi(["config", "set", "authentik:version", "2026.8.4", ...stack.options]);
  expect((await plan()).stderr, "the engine passes the keys of every namespace").toContain(
    "authentik:version: is not read, since it belongs to another project or provider",
  );
});

test("a destroy of a host that no longer exists names `host.abandoned`, which then removes the stack without a connection", async () => {
  const gone = { address: "127.0.0.1", port: 9, hostKey: server.hostKey };
  const destroy = (...args: string[]) =>
    run("pulumi", [
      "destroy",
      "--yes",
      "--skip-preview",
      "--run-program",
      "--stack",
      STACK,
      "--config-file",
      configFile(),
      "--non-interactive",
      ...args,
    ]);
  await configure({ drift: true, host: gone });
  const began = Date.now();
  const refused = await destroy("--color", "never");
  expect(refused.status).toBe(1);
  expect(refused.stdout.slice(refused.stdout.indexOf("Diagnostics:")).match(/error: .*/g)).toEqual([
    expect.stringMatching(
      /127\.0\.0\.1:9 cannot be reached \(.*\): check .*\. If the host no longer exists, set host\.abandoned to true and run `pulumi destroy --run-program`\.$/,
    ),
  ]);
  expect(refused.stdout, "no removal was tried").not.toMatch(/deleting|Dial/);
  expect(Date.now() - began).toBeLessThan(30_000);

  const asked = server.asked.length;
  await configure({ drift: true, host: { ...gone, abandoned: true } });
  const { status, stdout, stderr } = await destroy();
  expect(`${status} ${status === 0 ? "" : stdout + stderr}`).toBe("0 ");
  expect(server.asked.length).toBe(asked);
  const state = await run("pulumi", ["stack", "export", "--stack", STACK]);
  expect(JSON.parse(state.stdout).deployment.resources ?? []).toEqual([]);
});
