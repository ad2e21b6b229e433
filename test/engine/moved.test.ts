// A stack from before the platform was one component, with the engine under test/engine/with: its state was exported then,
// without documents and secrets. Every resource has another URN now, and the engine has to find it by its aliases.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOST_KEY } from "../components/program.ts";
import { FULL } from "../plan/configurations.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const STACK = `moved-test-${process.pid}`;
let folder: string;

/** Runs the CLI on the project of this checkout, with a configuration and a backend of its own. */
const pulumi = (...args: string[]) =>
  new Promise<string>((done, failed) => {
    const all = [...args, "--stack", STACK, "--non-interactive"];
    const env = { ...process.env, PULUMI_BACKEND_URL: `file://${folder}`, PULUMI_CONFIG_PASSPHRASE: "moved test" };
    execFile("pulumi", all, { cwd: REPOSITORY, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) =>
      error ? failed(new Error(stdout + stderr)) : done(stdout),
    );
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "moved-test-"));
  const config = { ...FULL, host: { address: "127.0.0.1", hostKey: HOST_KEY }, drift: false };
  const backup = { repository: { path: "/srv/backups" } };
  const lines = Object.entries({ ...config, backup }).map(
    ([key, value]) => `  gatehouse:${key}: ${JSON.stringify(value)}`,
  );
  await writeFile(join(folder, "config.yaml"), ["config:", ...lines].join("\n"));
  await pulumi("stack", "init", "--no-select");
  await rm(join(REPOSITORY, `Pulumi.${STACK}.yaml`), { force: true });
  const state = await readFile(join(import.meta.dirname, "recorded-state.json"), "utf8");
  await writeFile(
    join(folder, "state.json"),
    state.replaceAll("recorded::", `${STACK}::`).replaceAll("-recorded", `-${STACK}`),
  );
  await pulumi("stack", "import", "--file", join(folder, "state.json"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Step {
  op: string;
  urn: string;
}

/** The type of a resource, without those of its parents. */
const typeOf = (urn: string) => urn.split("::")[2]?.split("$").at(-1) ?? "";

test("keeps every resource: only components, which are nothing on the host, are new", async () => {
  const { steps } = JSON.parse(await pulumi("preview", "--json", "--config-file", join(folder, "config.yaml"))) as {
    steps: Step[];
  };
  const others = steps.filter(({ op }) => op !== "same" && op !== "update");
  expect(new Set(others.map(({ op, urn }) => `${op} ${typeOf(urn)}`))).toEqual(
    new Set(["create gatehouse:index:Gatehouse", "create gatehouse:index:Document"]),
  );
  expect(steps.filter(({ op }) => op === "update").length).toBeGreaterThan(20);
});
