// Three hosts: the order in which they are deployed and changed, and what each gets from the others.
import { beforeAll, expect, test } from "vitest";
import { faults, read, type Table } from "../unit/configuration.ts";
import { HOST_KEY, type Recorded, runProgram, Secret } from "./program.ts";

const host = (number: number, more: Table = {}) => ({
  address: `192.0.2.${number}`,
  private: `10.0.0.${number}`,
  hostKey: HOST_KEY,
  ...more,
});
const TRIO: Table = {
  hosts: { a: host(11), b: host(12, { gid: 4712 }), c: host(13) },
  authentik: {
    domain: "auth.example.org",
    version: "2026.8.3",
    environment: { AUTHENTIK_STORAGE__BACKEND: "s3" },
  },
  caddy: { tls: "internal" },
};

let run: Awaited<ReturnType<typeof runProgram>>;
beforeAll(async () => {
  run = await runProgram({ config: TRIO });
});

/** The commands of one item, by host, in the order of the hosts. */
function onEach(item: string): Recorded[] {
  const found = run.resources.filter(({ custom, name }) => custom && name === item);
  return found.sort((one, other) => (one.urn < other.urn ? -1 : 1));
}
const hostOf = ({ inputs }: Recorded) => (inputs.connection as Secret).value as { host: string };
const waitsFor = ({ urn }: Recorded, item: string) =>
  run.resources.find((one) => one.urn === urn)?.dependsOn.filter((name) => name === item).length;
const text = ({ inputs }: Recorded) => String(inputs.stdin instanceof Secret ? inputs.stdin.value : inputs.stdin);

test("each host has the whole platform", () => {
  for (const item of [
    "key-host",
    "release-etcd",
    "release-postgres",
    "release-door",
    "release-authentik",
    "release-caddy",
  ])
    expect(
      onEach(item)
        .map(hostOf)
        .map(({ host }) => host),
      item,
    ).toEqual(["192.0.2.11", "192.0.2.12", "192.0.2.13"]);
  for (const item of ["release-cluster-settings", "release-postgres-databases"])
    expect(
      onEach(item)
        .map(hostOf)
        .map(({ host }) => host),
      item,
    ).toEqual(["192.0.2.11"]);
});

test("etcd starts on all hosts at once, since one alone has no majority", () => {
  expect(onEach("release-etcd").map((one) => waitsFor(one, "release-etcd"))).toEqual([0, 0, 0]);
});

test("PostgreSQL, its doors and authentik change on one host after the other", () => {
  expect(onEach("release-postgres").map((one) => waitsFor(one, "release-postgres"))).toEqual([0, 1, 1]);
  expect(onEach("release-door").map((one) => waitsFor(one, "release-door"))).toEqual([0, 1, 1]);
  expect(onEach("release-authentik").map((one) => waitsFor(one, "release-authentik"))).toEqual([0, 1, 1]);
});

test("all hosts are members before a transaction waits for two, and databases are created after that", () => {
  const [settings] = onEach("release-cluster-settings");
  expect(waitsFor(settings as Recorded, "release-postgres")).toBe(3);
  expect(waitsFor(onEach("release-postgres-databases")[0] as Recorded, "release-cluster-settings")).toBe(1);
  for (const authentik of onEach("release-authentik"))
    expect(waitsFor(authentik, "release-postgres-databases")).toBe(1);
});

test("the certificate of each host reaches the others, and no key does", () => {
  const trusted = "certificate of host\n".repeat(3);
  for (const etcd of onEach("release-etcd")) expect(text(etcd)).toContain(trusted);
});

test("only the first host copies the database before a new image", () => {
  expect(onEach("release-authentik").map((one) => text(one).includes("[[guard]]"))).toEqual([true, false, false]);
});

test("all hosts have one key of authentik", () => {
  const keys = onEach("release-authentik-secrets").map((one) => /password-of-[\w-]*secret-key/.exec(text(one))?.[0]);
  expect(new Set(keys)).toEqual(new Set(["password-of-gatehouse-secret-key"]));
});

test("the output `platform` has the numbers of each host, no secret, and a version that older consumers refuse", () => {
  const { platform, administrator } = run.outputs as Record<string, Table>;
  expect(platform).toMatchObject({
    schemaVersion: 2,
    hosts: { b: { host: { address: "192.0.2.12" }, groups: { postgres: { name: "postgres-clients" } } } },
  });
  expect(JSON.stringify(platform)).not.toContain("password");
  expect(administrator).toBeInstanceOf(Secret);
});

test.each<[what: string, changes: Table, path: string, message: RegExp]>([
  ["two hosts", { hosts: { a: host(11), b: host(12) } }, "hosts", /^expected 3 hosts.*got 2$/],
  [
    "one address twice",
    { hosts: { a: host(11), b: host(12), c: host(12) } },
    "hosts.c.private",
    /already hosts\.b\.private/,
  ],
  [
    "a name instead of an address",
    { hosts: { a: host(11, { private: "a.lan" }), b: host(12), c: host(13) } },
    "hosts.a.private",
    /expected an IPv4 address/,
  ],
  [
    "uploads on one host",
    { authentik: { domain: "auth.example.org", version: "2026.8.3" } },
    "authentik.environment",
    /on one of the hosts only/,
  ],
  [
    "a version that needs Valkey",
    {
      authentik: { domain: "auth.example.org", version: "2025.8.4", environment: { AUTHENTIK_STORAGE__BACKEND: "s3" } },
    },
    "authentik.version",
    /needs Valkey, which runs on one host/,
  ],
  ["certificates of an authority", { caddy: {} }, "caddy.tls", /acme is not supported with hosts yet/],
  [
    "a setting of Patroni's",
    { postgres: { settings: { max_connections: 300 } } },
    "postgres.settings.max_connections",
    /is set by Patroni for all hosts/,
  ],
  [
    "a password",
    { postgres: { roles: { reporting: { auth: "scram" } } } },
    "postgres.roles.reporting.auth",
    /scram is not supported/,
  ],
  ["one number for all", { postgres: { gid: 4711 } }, "postgres.gid", /each host has its own number/],
  ["a host beside the hosts", { host: { address: "192.0.2.10", hostKey: HOST_KEY } }, "host", /unknown key/],
  ["backups", { backup: { repository: { path: "/srv/backups" } } }, "backup", /is not supported with hosts yet/],
])("%s are refused", async (_, changes, path, message) => {
  await expect(read(TRIO)).resolves.toHaveProperty("hosts.a.port", 22);
  expect(await faults({ ...TRIO, ...changes })).toEqual(
    expect.arrayContaining([expect.stringMatching(new RegExp(`^${path}: .*${message.source.replace(/^\^/, "")}`))]),
  );
});

test("two hosts that are away are refused, since one alone is no majority", async () => {
  const hosts = { a: host(11), b: host(12, { down: true }), c: host(13, { down: true }) };
  expect(await faults({ ...TRIO, hosts })).toEqual([expect.stringMatching(/^hosts\.c\.down: hosts\.b is down too/)]);
  expect(await faults({ ...TRIO, hosts: { ...hosts, c: host(13) } })).toEqual([]);
});
