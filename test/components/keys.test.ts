// Every key of the configuration has an effect: with another value, or without the key, the program requests something
// different.
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { settingsSchema } from "../../components/config/schema.ts";
import * as inspection from "../../components/connection/inspect.ts";
import { type Facts, factsSchema } from "../../protocol/facts.ts";
import { CASES, SECRETS } from "../render/cases.ts";
import { changed, type Table } from "../unit/configuration.ts";
import { evaluated, HOST_KEY, record, resolved } from "./program.ts";

interface Node {
  properties?: Record<string, Node>;
  additionalProperties?: Node | boolean;
  examples?: unknown[];
}

const hop = { address: "192.0.2.77", port: 2277, user: "jumper", hostKey: HOST_KEY.replace(/.{4}$/, "Jump") };

interface Stack {
  config: Table;
  secrets?: Record<string, string>;
}
const LARGEST: Stack = {
  config: changed(CASES.full as Table, {
    "host.hostKey": HOST_KEY.replace(/.{4}$/, "Mark"),
    "host.user": "deployer",
    "host.port": 2222,
    "host.sudo": true,
    "host.abandoned": true,
    "host.takeOver": ["account authentik"],
    "host.platform": "ubuntu",
    "host.proxy": hop,
    "postgres.gid": 4711,
    "postgres.writable": ["/srv/tablespaces"],
    "postgres.databases.grafana": { clients: ["metrics"] },
    "postgres.roles.editors.connections": 1717,
    "valkey.gid": 4712,
    "valkey.databaseCount": 1023,
    "valkey.rotation": 3,
    "authentik.image": "registry.example.org/authentik",
    "authentik.rotation": 2,
    "authentik.allowDowngrade": true,
    "authentik.deadline": 6789,
    "authentik.directives": "header X-Line one",
    "backup.drill": "Mon *-*-* 05:15:00",
    "backup.allowDataLoss": true,
  }),
};

const IMAGE = "registry.example.org/board:4.2.0";
const APPS = {
  board: {
    containers: {
      api: { image: IMAGE, port: 8089 },
      feed: { image: IMAGE, port: 8090, publish: 9590 },
      web: {
        image: IMAGE,
        command: ["serve"],
        environment: { LEVEL: "info" },
        files: { "/etc/board.ini": "a = b" },
        secrets: { key: "generated", smtp: "configured" },
        secretEnvironment: { TOKEN: "generated" },
        volumes: { "/srv": "pages" },
        port: 8088,
        ports: [{ port: 22, publish: 2222, address: "*" }],
        health: ["board", "check"],
        quadlet: { HostName: "board" },
        memory: "512m",
        cpus: 1.5,
      },
      nightly: { image: IMAGE, schedule: "daily" },
    },
    postgres: { database: "boards", connections: 1718 },
    valkey: { maxmemory: "65mb" },
    site: { domain: "board.example.org", port: 8088, directives: "header X-Line app", tls: "internal" },
    shmSize: "1g",
    deadline: 61,
    purge: true,
    rotation: 2,
  },
  pages: {
    containers: { build: { image: IMAGE, schedule: "weekly", volumes: { "/srv": "public" } } },
    site: { domain: "pages.example.org", files: "public" },
  },
};

/** On three hosts, with everything that a host may have. */
const TRIO: Stack = {
  config: {
    hosts: {
      a: {
        address: "192.0.2.11",
        private: "10.0.0.11",
        hostKey: HOST_KEY.replace(/.{4}$/, "Trio"),
        user: "member",
        port: 2233,
        sudo: true,
        wait: 77,
        gid: 4714,
        takeOver: ["account authentik"],
        proxy: hop,
      },
      b: { address: "192.0.2.12", private: "10.0.0.12", hostKey: HOST_KEY, down: true },
      c: { address: "192.0.2.13", private: "10.0.0.13", hostKey: HOST_KEY },
    },
    authentik: {
      domain: "auth.example.org",
      version: "2026.8.3",
      environment: { AUTHENTIK_STORAGE__BACKEND: "s3" },
    },
    caddy: { tls: "internal" },
  },
};

/** Stacks in which each key has a value somewhere. A key without one is tried with the example in its schema. */
const STACKS: Stack[] = [
  LARGEST,
  TRIO,
  { config: changed(CASES.acme as Table, { drift: false }) },
  { config: CASES["authentik-without-valkey"] as Table },
  {
    config: CASES["backup-over-sftp"] as Table,
    secrets: SECRETS["backup-over-sftp"] as Record<string, string>,
  },
  {
    config: { ...CASES.acme, apps: APPS },
    secrets: { appSecrets: JSON.stringify({ board: { smtp: "the password for the mail" } }) },
  },
  {
    config: changed(CASES["backup-in-a-bucket"] as Table, {
      "backup.repository.s3.region": "eu-north-1",
      "backup.repository.s3.path": "/gatehouse",
    }),
    secrets: SECRETS["backup-in-a-bucket"] as Record<string, string>,
  },
];

/** Another value for each key that cannot be left out, by its last name. */
const OTHERS: Record<string, unknown> = {
  address: "198.51.100.99",
  private: "10.0.0.99",
  hostKey: HOST_KEY.replace(/.{4}$/, "Else"),
  domain: "else.example.org",
  version: "2026.8.2",
  backend: "127.0.0.1:3999",
  image: "registry.example.org/board:4.3.0",
  port: 8089,
  files: "else",
  user: "else",
  path: "/srv/else",
  endpoint: "else.example.org",
  bucket: "else",
  keyId: "AKIAELSE",
};

/** Keys that are read in another way: as secrets, which do not appear in plain text, and by the policies. */
const APART = [
  "sshKey",
  "authentikSecrets",
  "appSecrets",
  "registries",
  "backupKey",
  "backupPassphrase",
  "policy.requireDigest",
  "policy.ports",
];

const FACTS: Facts = factsSchema.parse({ protocol: 1, machine: "0123456789ab", items: {} });

/** Everything that the program requests, as text, including refusals. */
async function asked(config: Table, secrets: Record<string, string> = {}): Promise<string> {
  let exported = {};
  try {
    const { resources, warnings } = await record({ config, secrets, facts: FACTS }, async () => {
      exported = await evaluated();
    });
    return JSON.stringify([resources, warnings, await resolved(exported)]);
  } catch (error) {
    return `refused: ${(error as Error).message}`;
  }
}

/** Every key with its path; NAME replaces a name chosen by the operator. */
function* leaves({ properties = {}, additionalProperties }: Node, path = ""): Generator<[string, Node]> {
  const all = Object.entries(properties);
  if (typeof additionalProperties === "object" && additionalProperties.properties)
    all.push(["NAME", additionalProperties]);
  for (const [key, node] of all) {
    const at = path ? `${path}.${key}` : key;
    const below = [...leaves(node, at)];
    if (below.length > 0) yield* below;
    else yield [at, node];
  }
}

/** The path with names from this configuration; undefined if the key has no value in it. */
function pathIn(config: Table, path: string): string | undefined {
  const [first = "", ...rest] = path.split(".");
  for (const key of first === "NAME" ? Object.keys(config) : [first]) {
    if (config[key] === undefined) continue;
    if (rest.length === 0) return key;
    const below = typeof config[key] === "object" ? pathIn(config[key] as Table, rest.join(".")) : undefined;
    if (below !== undefined) return `${key}.${below}`;
  }
  return undefined;
}

const valueAt = (config: Table, path: string): unknown =>
  path.split(".").reduce<unknown>((table, key) => (table as Table | undefined)?.[key], config);

/** The longest text or number in a value. */
const markOf = (value: unknown): string =>
  typeof value === "object" && value !== null
    ? Object.values(value)
        .map(markOf)
        .reduce((longest, mark) => (mark.length > longest.length ? mark : longest), "")
    : (String(value).split("\n")[0] ?? "");

const times = (text: string, part: string) => text.split(part).length - 1;

/** The keys with values that never change the requests. */
async function idle(keys: Map<string, Node>): Promise<string[]> {
  const texts = new Map<Stack, string>();
  const found: string[] = [];
  for (const [key, { examples }] of keys) {
    const stack = STACKS.find(({ config }) => pathIn(config, key)) ?? LARGEST;
    const { config, secrets } = stack;
    const before = texts.get(stack) ?? (await asked(config, secrets));
    texts.set(stack, before);
    expect(before).not.toMatch(/^refused/);
    const path = pathIn(config, key);
    const mark = path ? markOf(valueAt(config, path)) : "";
    // A text that occurs once in the configuration can only come from there.
    if (mark.length > 3 && mark !== "true" && times(JSON.stringify(config), mark) === 1 && before.includes(mark))
      continue;
    const without = await asked(changed(config, path ? { [path]: undefined } : { [key]: examples?.[0] }), secrets);
    const other = { [path ?? key]: OTHERS[key.split(".").at(-1) ?? ""] };
    const after = without.startsWith("refused") ? await asked(changed(config, other), secrets) : without;
    if (after.startsWith("refused")) throw new Error(`${key}: this test needs another value for it: ${after}`);
    if (after === before) found.push(key);
  }
  return found;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.spyOn(inspection, "inspect").mockResolvedValue(FACTS);
  vi.stubEnv("GATEHOUSE_DRIFT", "");
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
});

const whole = JSON.parse(readFileSync(new URL("../../docs/stack.schema.json", import.meta.url), "utf8"));
const keys = [...leaves(whole.properties.config)].map(
  ([path, node]) => [path.replace(/^gatehouse:/, ""), node] as const,
);

test("every key of the configuration is read somewhere", { timeout: 60_000 }, async () => {
  const ours = keys.filter(([key]) => !APART.includes(key));
  expect(ours.length).toBeGreaterThan(60);
  expect(await idle(new Map(ours))).toEqual([]);
});

test("a key that nothing reads is found, whether it is set or not", async () => {
  // As if the schema had one more key.
  const { safeParse } = settingsSchema;
  vi.spyOn(settingsSchema, "safeParse").mockImplementation((given, options) => {
    const { unread: _, ...others } = given as Table;
    return safeParse(others, options);
  });
  const unread: [string, Node] = ["unread", { examples: ["a value"] }];
  expect(await idle(new Map([...keys.filter(([key]) => key === "host.sudo"), unread]))).toEqual(["unread"]);
});
