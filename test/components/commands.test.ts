import { beforeAll, describe, expect, test } from "vitest";
import { HOST_KEY, type Recorded, type Run, runProgram, Secret, SMALL, SSH_KEY } from "./program.ts";

let run: Run;
let commands: Recorded[];

beforeAll(async () => {
  run = await runProgram({ config: SMALL });
  commands = run.resources.filter(({ type }) => type === "command:remote:Command");
});

test("these are the commands for the smallest stack", () => {
  expect(Object.fromEntries(commands.map(({ name, inputs }) => [name, inputs.create]))).toEqual({
    "host-agent": "sh -s -- never-asked",
    "group-postgres-clients": "gatehouse group postgres-clients --due never-asked",
    "group-valkey-clients": "gatehouse group valkey-clients --due never-asked",
    "account-authentik": "gatehouse account authentik --due never-asked",
    "packages-postgres": "gatehouse packages postgres --due never-asked",
    "packages-valkey": "gatehouse packages valkey --due never-asked",
    "packages-podman": "gatehouse packages podman --due never-asked",
    "packages-caddy": "gatehouse packages caddy --due never-asked",
    "release-postgres-cluster": "gatehouse release postgres-cluster --due never-asked",
    "release-postgres": "gatehouse release postgres --due never-asked",
    "release-valkey-gatehouse": "gatehouse release valkey-gatehouse --due never-asked",
    "release-valkey": "gatehouse release valkey --due never-asked",
    "release-authentik-secrets": "gatehouse release authentik-secrets --due never-asked",
    "release-authentik": "gatehouse release authentik --due never-asked",
    "release-caddy": "gatehouse release caddy --due never-asked",
    "release-container-guard": "gatehouse release container-guard --due never-asked",
    "release-site-authentik": "gatehouse release site-authentik --due never-asked",
  });
});

test("the agent is installed with sudo if configured, and then uses it by itself", async () => {
  const { resources } = await runProgram({
    config: { ...SMALL, host: { ...SMALL.host, user: "deploy", sudo: true } },
  });
  for (const { name, inputs } of resources.filter(({ type }) => type.endsWith(":Command")))
    expect(inputs.create, name).toMatch(name === "host-agent" ? /^sudo -n sh -s -- / : /^gatehouse /);
  const agent = resources.find(({ name }) => name === "host-agent");
  expect(agent?.inputs.stdin).toContain('exec sudo -n \\"$0\\" \\"$@\\"'.replaceAll("\\", ""));
});

test("an abandoned host is removed from the state without a connection (H9)", async () => {
  const of = async (abandoned: boolean) =>
    (await runProgram({ config: { ...SMALL, host: { ...SMALL.host, abandoned } } })).resources
      .filter(({ name }) => name.startsWith("release-") || name === "host-agent")
      .map(({ options }) => options.retainOnDelete);
  expect(new Set(await of(true))).toEqual(new Set([true]));
  expect(new Set(await of(false))).toEqual(new Set([false]));
});

test("the agent is installed before any other command", () => {
  for (const { name, dependsOn } of commands)
    if (name !== "host-agent") expect([name, ...dependsOn]).toContain("host-agent");
});

describe("each command", () => {
  test("trusts one host key only, and has its private key as a secret", () => {
    for (const { name, inputs } of commands) {
      const { connection, ...others } = inputs;
      expect(connection, name).toBeInstanceOf(Secret);
      expect((connection as Secret).value, name).toMatchObject({
        host: "192.0.2.10",
        hostKey: HOST_KEY,
        privateKey: SSH_KEY,
      });
      expect(JSON.stringify(others), name).not.toContain("PRIVATE KEY");
    }
  });

  test("tries to connect for half a minute, through a proxy too: a burst of connections makes sshd refuse more", async () => {
    const hop = { address: "192.0.2.20", hostKey: HOST_KEY };
    const { resources } = await runProgram({ config: { ...SMALL, host: { ...SMALL.host, proxy: hop } } });
    const { connection } = resources.find(({ name }) => name === "host-agent")?.inputs ?? {};
    const { proxy, ...host } = (connection as Secret).value as Record<string, unknown>;
    for (const { dialErrorLimit, perDialTimeout } of [host, proxy] as Record<string, number>[]) {
      // As the plugin waits, in seconds.
      const waits = Array.from({ length: dialErrorLimit as number }, (_, n) => Math.min(5, 0.1 * 1.5 ** n));
      const total = waits.reduce((sum, wait) => sum + wait, 0);
      expect(total).toBeGreaterThan(30);
      expect(total + (perDialTimeout as number) * (waits.length + 1)).toBeLessThan(120);
    }
  });

  test("does not get the output of an earlier run in its environment, which sshd would refuse anyway", () => {
    for (const { name, inputs } of commands) expect([name, inputs.addPreviousOutputInEnv]).toEqual([name, false]);
  });

  test("is never replaced by a trigger: the delete of a release would remove the new one", () => {
    for (const { name, inputs } of commands) expect([name, inputs.triggers]).toEqual([name, undefined]);
  });

  test("with a delete is deleted before it is replaced (H8)", () => {
    const deleting = commands.filter(({ inputs }) => inputs.delete !== undefined);
    expect(deleting).toHaveLength(10);
    for (const { name, options } of deleting) expect([name, options.deleteBeforeReplace]).toEqual([name, true]);
  });

  test("is not skipped if its host is removed: services would keep running (H9)", () => {
    for (const { name, options } of commands) expect([name, options.deletedWith]).toEqual([name, ""]);
  });
});

test("releases are removed by the resource that owns them, as project/stack/name (H8)", () => {
  const releases = commands.filter(({ name }) => name.startsWith("release-"));
  expect(releases).toHaveLength(9);
  for (const { name, inputs } of releases) {
    const release = name.replace("release-", "");
    expect(inputs.delete).toBe(`gatehouse remove ${release} --owner gatehouse/test/${release}`);
    const stdin = inputs.stdin instanceof Secret ? inputs.stdin.value : inputs.stdin;
    expect(stdin).toContain(`owner = "gatehouse/test/${release}"`);
  }
});

test("the last command of a destroy reports what stays on the host, since every other one waits for the agent", () => {
  const { inputs } = run.named("host-agent");
  expect([inputs.delete, inputs.logging]).toEqual(["gatehouse leave gatehouse/test", "stderr"]);
});

test("groups, accounts and packages are never deleted: recycled IDs would inherit data (H9)", () => {
  const kept = commands.filter(({ name }) => !name.startsWith("release-") && name !== "host-agent");
  expect(kept).toHaveLength(7);
  for (const { name, inputs } of kept) expect([name, inputs.delete]).toEqual([name, undefined]);
});

test.each([
  ["release-postgres", ["group-postgres-clients", "packages-postgres"]],
  ["packages-postgres", ["release-postgres-cluster"]],
  ["release-valkey", ["group-valkey-clients", "packages-valkey", "release-valkey-gatehouse"]],
  ["account-authentik", ["group-postgres-clients", "group-valkey-clients"]],
  ["release-authentik-secrets", ["account-authentik"]],
  [
    "release-authentik",
    ["account-authentik", "packages-podman", "release-authentik-secrets", "release-postgres", "release-valkey"],
  ],
  ["release-caddy", ["packages-caddy"]],
  ["release-site-authentik", ["release-authentik", "release-caddy"]],
])("%s waits for %j", (name, others) => {
  expect(run.named(name).dependsOn).toEqual(expect.arrayContaining(others));
});

test("unrelated commands do not wait for each other", () => {
  expect(run.named("release-caddy").dependsOn).toEqual(["host-agent", "packages-caddy"]);
  expect(run.named("release-postgres").dependsOn.join()).not.toMatch(/valkey|authentik|caddy/);
  expect(run.named("release-valkey").dependsOn.join()).not.toMatch(/postgres|authentik|caddy/);
});

test("packages declare services that must not start with their stock configuration (H17)", () => {
  for (const [name, unit] of Object.entries({
    postgres: "postgresql@17-main.service",
    valkey: "valkey-server.service",
    caddy: "caddy.service",
  }))
    expect(run.named(`packages-${name}`).inputs.stdin).toContain(`units = ["${unit}"]`);
});
