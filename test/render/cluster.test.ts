import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { partsOfMember, VIEW } from "./cluster.ts";

const parts = partsOfMember();
const file = (part: keyof typeof parts, path: string): string =>
  parts[part].files?.find((one) => one.path === path)?.content ?? `there is no ${path}`;

test("Patroni waits for two hosts with each commit, and finds etcd on all of them", () => {
  const settings = parse(file("member", "/etc/patroni/17-main.yml"));
  expect(settings).toMatchObject({
    name: "b",
    bootstrap: { dcs: { ttl: 20, synchronous_mode: "quorum", failsafe_mode: true } },
    etcd3: { hosts: ["10.0.0.11:2379", "10.0.0.12:2379", "10.0.0.13:2379"], protocol: "https" },
    restapi: { listen: "10.0.0.12:8008", verify_client: "required" },
    postgresql: { listen: "10.0.0.12:5432", authentication: { superuser: { username: "postgres" } } },
  });
  expect(JSON.parse(parts.settings.steps?.[0]?.stdin ?? "")).toMatchObject({ synchronous_mode_strict: true });
});

test("every service of the cluster trusts the three hosts, and no other", () => {
  const all = VIEW.members.map(({ certificate }) => certificate).join("");
  expect(file("etcd", "/etc/etcd/hosts.pem")).toBe(all);
  expect(file("member", "/etc/postgresql/17/main/hosts.pem")).toBe(all);
  expect(file("door", "/etc/pgbouncer/hosts.pem")).toBe(all);
});

test("nobody logs in over the network without the certificate of a host, and over the member's own socket only its superuser's account", () => {
  const lines = file("member", "/etc/postgresql/17/main/pg_hba.conf").split("\n");
  expect(lines.filter((line) => line.startsWith("local"))).toEqual([
    'local all "postgres" peer',
    'local "/^.+_restored_[0-9]{14}$" gatehouse_loads peer map=gatehouse',
  ]);
  const network = lines.filter((line) => line.startsWith("host"));
  expect(network).toHaveLength(3 * (3 + 3));
  for (const line of network)
    expect(line).toMatch(/^hostssl (all|replication|"\w+") "?\w+"? 10\.0\.0\.1[123]\/32 cert map=gatehouse_hosts$/);
});

test("there is no password in any file", () => {
  const texts = Object.values(parts).flatMap(({ files = [] }) => files.map(({ content }) => content));
  expect(texts.filter((text) => /^\s*password\b/m.test(text))).toEqual([]);
});

test("steps for all hosts reach the primary, wherever it is, with the key of the host", () => {
  const [roles] = parts.databases.steps ?? [];
  // Never as root: a server that its superuser controls could answer with a command for psql's shell.
  expect([roles?.user, roles?.group]).toEqual(["postgres", "gatehouse-host"]);
  expect(roles?.exec).toEqual(
    expect.arrayContaining([
      "PGTARGETSESSIONATTRS=primary",
      "PGSSLMODE=verify-ca",
      "--host=10.0.0.11,10.0.0.12,10.0.0.13",
    ]),
  );
  // Its own server is asked over its own socket.
  expect(parts.member.probes?.[0]?.exec).toContain("--host=/run/postgresql-node");
});

test("the program that asks for the cluster is valid Python", () => {
  const program = file("member", "/usr/local/libexec/gatehouse/cluster");
  expect(spawnSync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], { input: program }).status).toBe(
    0,
  );
});

test("no command of the cluster runs as root and asks a server for text that it executes", () => {
  const steps = Object.values(parts).flatMap(({ steps = [], preparations = [] }) => [...steps, ...preparations]);
  const asking = steps.filter(({ exec }) => exec.some((word) => word.includes("psql")));
  expect(asking.length).toBeGreaterThan(3);
  expect(asking.filter(({ user }) => user !== "postgres")).toEqual([]);
});

test("a host that is away on purpose does not make the cluster unhealthy", () => {
  expect(parts.settings.probes?.[0]?.exec).toEqual(["/usr/local/libexec/gatehouse/cluster", "whole", "c"]);
});

/** The program with answers of Patroni and etcd in the place of their services. */
function asked(question: string[], members: object[], unhealthy: string[] = []) {
  const program = file("member", "/usr/local/libexec/gatehouse/cluster").replace(
    /^def get\([\s\S]*?(?=^if __name__)/m,
    `def get(address, port, path):
    if port == 8008:
        return json.dumps({"members": json.loads(sys.stdin.read())})
    return json.dumps({"health": "false" if address in ${JSON.stringify(unhealthy)} else "true"})


`,
  );
  const { status, stdout } = spawnSync("python3", ["-c", program, ...question], {
    input: JSON.stringify(members),
    encoding: "utf8",
  });
  return [status, stdout.trim()];
}
const member = (name: string, role = "quorum_standby", state = "streaming") => ({ name, role, state });
const ALL = [member("a", "leader", "running"), member("b"), member("c")];

test.each<[string, string[], object[], string[], [number, string]]>([
  ["all three are there", ["whole"], ALL, [], [0, ""]],
  ["one has expired in etcd", ["whole"], ALL.slice(0, 2), [], [1, "not ready yet: c: no member"]],
  ["the one that is missing is away on purpose", ["whole", "c"], ALL.slice(0, 2), [], [0, ""]],
  [
    "one copies the data",
    ["whole"],
    [...ALL.slice(0, 2), member("c", "replica", "creating replica")],
    [],
    [1, "not ready yet: c: replica, creating replica"],
  ],
  ["etcd of one is lost", ["whole"], ALL, ["10.0.0.13"], [1, "not ready yet: c: etcd is unhealthy"]],
  ["this host is no member yet", ["own"], [ALL[0] as object], [], [1, "not ready yet: b: no member"]],
  ["only another host is missing", ["own"], ALL.slice(0, 2), [], [0, ""]],
])("the program knows the cluster: %s", (_, question, members, unhealthy, answer) => {
  expect(asked(question, members, unhealthy)).toEqual(answer);
});
