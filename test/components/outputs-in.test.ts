// Each argument of each component may be an Output: known, known later, or invalid.
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { appSchema } from "../../components/app/schema.ts";
import { settingsSchema } from "../../components/config/schema.ts";
import { Account, App, Caddy, Gatehouse, Group, Host, Packages, platforms, Release } from "../../components/library.ts";
import { isPlain } from "../../components/schema/partly.ts";
import { HOST_KEY, type Recorded, type Run, record, Secret, UNKNOWN } from "./program.ts";
import { rejectionsOf } from "./rejections.ts";

type Path = readonly PropertyKey[];

/** What an app in the configuration and one in a program have in common. */
const WIKI = {
  containers: {
    web: {
      image: "registry.example.org/wiki:1.4.2",
      command: ["serve"],
      environment: { LEVEL: "info" },
      files: { "/etc/wiki.ini": "a = b" },
      volumes: { "/srv": "pages" },
      port: 8080,
      publish: 8081,
      health: { http: "/healthz" },
      quadlet: { HostName: "board" },
      memory: "512m",
      cpus: 1.5,
    },
    nightly: { image: "registry.example.org/wiki:1.4.2", schedule: "daily" },
  },
  valkey: { maxmemory: "64mb" },
  site: { domain: "app.example.org", port: 8081, directives: "encode gzip", tls: "internal" as const },
  shmSize: "1g",
  deadline: 60,
  purge: true,
};

/** A value for every key, except for what excludes each other. */
const PLATFORM = {
  host: {
    address: "192.0.2.10",
    port: 2222,
    user: "deploy",
    hostKey: HOST_KEY,
    sudo: true,
    wait: 60,
    proxy: { address: "198.51.100.7", port: 2222, user: "deploy", hostKey: HOST_KEY },
    takeOver: ["account authentik"],
    platform: "debian" as const,
    abandoned: false,
  },
  drift: false,
  postgres: {
    gid: 2001,
    settings: { max_connections: 200, shared_buffers: "256MB" },
    writable: ["/srv/tablespaces"],
    databases: { grafana: { owner: "grafana", clients: ["reporting"] } },
    roles: { reporting: { auth: "scram" as const, connections: 20 } },
  },
  valkey: { gid: 2002, settings: { maxmemory: "256mb" }, databaseCount: 32, rotation: 2, databases: { grafana: 2 } },
  authentik: {
    domain: "auth.example.org",
    version: "2026.8.3",
    allowDowngrade: true,
    image: "registry.example.org/authentik",
    digest: `sha256:${"0".repeat(64)}`,
    rotation: 2,
    valkey: true,
    port: 9100,
    network: { subnets: ["10.50.0.0/24"] },
    admin: { email: "operator@example.org" },
    directives: "encode gzip",
    deadline: 600,
    environment: { TZ: "Europe/Berlin" },
    container: { LogDriver: "journald", AddHost: ["mail.lan:192.0.2.7"] },
  },
  caddy: {
    tls: "acme" as const,
    email: "operator@example.org",
    acmeDirectory: "https://ca.example.org/acme/directory",
    sites: { wiki: { domain: "wiki.example.org", backend: "127.0.0.1:8000", directives: "encode gzip" } },
  },
  apps: {
    board: {
      ...WIKI,
      containers: {
        web: {
          ...WIKI.containers.web,
          secrets: { key: "generated" as const },
          secretEnvironment: { TOKEN: "generated" as const },
        },
        nightly: WIKI.containers.nightly,
      },
      postgres: { database: "boards", connections: 20 },
      rotation: 2,
    },
  },
  trustedProxies: ["198.51.100.8"],
  backup: {
    repository: { path: "/srv/backups" },
    schedule: "daily",
    drill: "weekly",
    full: 3,
    keep: 5,
    allowDataLoss: true,
  },
};
const APP = {
  ...WIKI,
  containers: {
    web: { ...WIKI.containers.web, secrets: { token: "s3cret" }, secretEnvironment: { PASSWORD: "s3cret" } },
    nightly: WIKI.containers.nightly,
  },
};

const newHost = () =>
  new Host("host", { connection: { address: "192.0.2.10", hostKey: HOST_KEY }, platform: platforms.debian });

interface Subject {
  args: object;
  schema: z.ZodType;
  declare(args: never): unknown;
}
const SUBJECTS: Record<string, Subject> = {
  Gatehouse: { args: PLATFORM, schema: settingsSchema, declare: (args) => new Gatehouse("prod", args) },
  App: {
    args: APP,
    schema: appSchema,
    declare: (args: object) => new App("wiki", { host: newHost(), postgres: POSTGRES, ...args }),
  },
};
const POSTGRES = { clients: { groupName: "postgres-clients", gid: 987 } };

/** The paths of all values in a table: scalars, lists and tables. */
function pathsIn(value: unknown, path: Path = []): Path[] {
  const inner = typeof value === "object" && value !== null ? Object.entries(value) : [];
  const below = inner.flatMap(([key, one]) => pathsIn(one, [...path, Array.isArray(value) ? Number(key) : key]));
  return path.length === 0 ? below : [path, ...below];
}
function replaced(value: unknown, [key, ...rest]: Path, by: (value: unknown) => unknown): unknown {
  if (key === undefined) return by(value);
  const table = value as Record<PropertyKey, unknown>;
  const changed = replaced(table[key], rest, by);
  return Array.isArray(value)
    ? value.map((one, index) => (index === key ? changed : one))
    : { ...table, [key]: changed };
}

/** What reaches the engine of the commands, in readable form. */
const commands = ({ resources }: Run) =>
  Object.fromEntries(
    resources
      .filter(({ custom }) => custom)
      .map(({ name, inputs, dependsOn }) => [name, JSON.stringify({ ...inputs, dependsOn }, readable)]),
  );
const readable = (_: string, value: unknown) =>
  value === UNKNOWN ? "unknown" : value instanceof Secret ? value.value : value;

const isDocument = ({ type }: Recorded) => type === "gatehouse:index:Document";
const documents = ({ resources }: Run) =>
  JSON.stringify(
    resources.filter(isDocument).map(({ inputs }) => inputs.document),
    readable,
  );

const later = (value: unknown) => pulumi.output(Promise.resolve(value));
/** Unknown until the update. */
const unknown = () => later(pulumi.unknown);

describe.each(Object.entries(SUBJECTS))("%s", (_, { args, schema, declare }) => {
  const run = (changed: unknown, preview: boolean) => record({ config: {}, preview }, () => declare(changed as never));
  const plain = pathsIn(args).filter((path) => isPlain(schema, path));
  const others = pathsIn(args).filter((path) => !isPlain(schema, path));

  test("the arguments are all there are", () => {
    const keys = (value: object) => Object.keys(value).sort();
    const { shape } = schema as z.ZodObject;
    const given = keys({ ...args, ...(schema === appSchema && { database: "", connections: 0 }) });
    expect(given).toEqual(expect.arrayContaining(keys(shape).filter((key) => key !== "policy")));
  });

  /** The Outputs in each form: as single values, and as the tables and lists that they are in. */
  const leaves = others.filter(isLeaf(args));
  const highest = others.filter((path) => !others.some((other) => isBelow(path, other)));

  test.each([
    ["single values", leaves],
    ["tables and lists", highest],
  ])("Outputs have the same effect as their values: %s", async (_, paths) => {
    expect(paths.length).toBeGreaterThan(5);
    expect(commands(await run(withEach(args, paths, later), false))).toEqual(commands(await run(args, false)));
  });

  test("an unknown single value is a placeholder in a preview, and hides nothing else", async () => {
    const known = await run(args, true);
    const shown = await run(withEach(args, leaves, unknown), true);
    expect(Object.keys(commands(shown))).toEqual(Object.keys(commands(known)));
    const written = documents(shown);
    expect(written).not.toMatch(/NaN|undefined|\[object|Calling \[to/);
    expect(written).toContain("<");
  });

  test("an unknown table or list makes no component fail in a preview", async () => {
    const known = await run(args, true);
    const hidden = await run(withEach(args, highest, unknown), true);
    expect(Object.keys(commands(hidden)).length).toBe(Object.keys(commands(known)).length);
  });

  test("a value that decides which resources exist is refused as an Output", async () => {
    expect(plain.length).toBeGreaterThan(3);
    for (const path of plain)
      expect((await rejectionsOf(() => run(replaced(args, path, later), false))).join("\n")).toContain(
        `${path.join(".")}: expected a plain value, since it decides which resources exist`,
      );
  });
});

test("an unknown table hides only the documents that it is in", async () => {
  const gatehouse = (container: unknown) => {
    const args = { ...PLATFORM, authentik: { ...PLATFORM.authentik, container: container as never } };
    return record({ config: {}, preview: true }, () => new Gatehouse("prod", args));
  };
  const [known, hidden] = [await gatehouse({}), await gatehouse(unknown())].map((run) =>
    Object.fromEntries(run.resources.filter(isDocument).map(({ parent, inputs }) => [parent, inputs.document])),
  );
  expect(Object.keys(hidden).filter((name) => hidden[name] !== known[name])).toEqual(["prod-authentik"]);
  expect(hidden["prod-authentik"]).toBe(UNKNOWN);
});

test("a placeholder names the argument and the component", async () => {
  const { named } = await record({ config: {}, preview: true }, () => {
    const email = unknown() as pulumi.Output<string>;
    new Caddy("front", { host: newHost(), email });
  });
  expect(named("release-caddy").inputs.stdin).toContain("email `<email of front>`");
});

test("all faults of values that become known later are reported together, those of secrets without their values", async () => {
  const args = {
    host: { address: later("a b") as pulumi.Output<string>, hostKey: HOST_KEY, privateKey: pulumi.secret("key") },
    postgres: { gid: later(2001) as pulumi.Output<number> },
    valkey: { gid: 2001 },
    authentik: {
      domain: pulumi.output("x").apply(() => "Auth"),
      version: "2026.8.3",
      secretEnvironment: { AUTHENTIK_BOOTSTRAP_PASSWORD: pulumi.secret(" hunter2") },
    },
  };
  const messages = await rejectionsOf(() => record({ config: {} }, () => new Gatehouse("prod", args)));
  expect(messages.filter((message) => message.includes("is invalid"))).toEqual([
    `Gatehouse prod is invalid; nothing of it was changed:
  authentik.secretEnvironment.AUTHENTIK_BOOTSTRAP_PASSWORD: expected one line without leading or trailing blanks and without a leading quote or bracket
  host.address: expected an IP address or a host name, got "a b"
  authentik.domain: expected a domain name in lower case, such as auth.example.org, got "Auth"
  valkey.gid: GID 2001 is already postgres.gid; each group needs its own GID`,
  ]);
});

test("an item of its own: its values may be Outputs, its name may not", async () => {
  const { named } = await record({ config: {} }, () => {
    const host = newHost();
    const text = (value: string) => later(value) as pulumi.Output<string>;
    new Group("editors", { host, gid: later(2003) as pulumi.Output<number> });
    new Account("wiki", { host, home: text("/srv/wiki"), uid: later(703) as pulumi.Output<number> });
    new Packages("tools", {
      host,
      names: [text("jq"), "curl"],
      held: later(["jq.service"]) as pulumi.Output<string[]>,
    });
    new Release("idle", { host, manifest: {}, purge: later(true) as pulumi.Output<boolean> });
  });
  expect(named("group-editors").inputs.stdin).toContain("gid = 2003");
  expect(named("account-wiki").inputs.stdin).toContain('home = "/srv/wiki"\ngroups = []\nuid = 703\n');
  expect(named("packages-tools").inputs.stdin).toContain('names = ["jq", "curl"]\nunits = ["jq.service"]');
  expect(named("release-idle").inputs.delete).toBe("gatehouse remove idle --owner gatehouse/test/idle --purge");
});

const withEach = (args: object, paths: Path[], by: (value: unknown) => unknown) =>
  paths.reduce<object>((all, path) => replaced(all, path, by) as object, args);
const isBelow = (path: Path, other: Path) => path.length > other.length && other.every((key, at) => path[at] === key);
const isLeaf = (args: object) => (path: Path) => {
  const value = path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)[key], args);
  return typeof value !== "object";
};
