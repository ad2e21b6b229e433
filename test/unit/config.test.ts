import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type * as pulumi from "@pulumi/pulumi";
import ssh2 from "ssh2";
import { describe, expect, test } from "vitest";
import { changed, faults, read, SMALL, type Table } from "./configuration.ts";
import { newKey } from "./sshd.ts";

type Read = Awaited<ReturnType<typeof read>>;

function onOne(args: Read) {
  if ("hosts" in args) throw new Error("the configuration has hosts");
  return args;
}

const OLD = changed(SMALL, { "authentik.version": "2025.8.4", "valkey.databases.authentik": 1 });

test("omitted keys get their defaults", async () => {
  expect(await read(SMALL)).toEqual({
    host: {
      ...(SMALL.host as Table),
      port: 22,
      user: "root",
      sudo: false,
      wait: 0,
      takeOver: [],
      abandoned: false,
      platform: "debian",
    },
    drift: true,
    policy: { requireDigest: false, ports: [] },
    postgres: { settings: {}, databases: {}, roles: {} },
    valkey: { settings: {}, databaseCount: 16, databases: {}, rotation: 1 },
    authentik: expect.objectContaining({
      ...(SMALL.authentik as Table),
      secretEnvironment: {},
      image: "ghcr.io/goauthentik/server",
      valkey: true,
      port: 9000,
      deadline: 900,
      network: { subnets: [] },
      admin: {},
      directives: "",
      environment: {},
      container: {},
    }),
    apps: {},
    appSecrets: {},
    trustedProxies: [],
    caddy: { tls: "acme", sites: {} },
  });
});

test.each([
  ["gets its last line break back, which a shell's $(...) removed", "-----KEY-----\nend"],
  ["is unchanged if it ends with a line break", "-----KEY-----\nend\n"],
])("the SSH key is secret, and %s", async (_, given) => {
  const { host } = onOne(await read({ ...SMALL, sshKey: given }, ["sshKey"]));
  const output = host.privateKey as pulumi.Output<string> & { promise(): Promise<string>; isSecret: Promise<boolean> };
  expect(await output.promise()).toBe("-----KEY-----\nend\n");
  expect(await output.isSecret).toBe(true);
});

test("secret settings of authentik stay secret, and only variables for operators are accepted", async () => {
  const secrets = { AUTHENTIK_EMAIL__PASSWORD: "hunter2" };
  const { authentik } = await read({ ...SMALL, authentikSecrets: secrets }, ["authentikSecrets"]);
  const output = authentik.secretEnvironment.AUTHENTIK_EMAIL__PASSWORD as pulumi.Output<string> & {
    promise(): Promise<string>;
    isSecret: Promise<boolean>;
  };
  expect(await output.promise()).toBe("hunter2");
  expect(await output.isSecret).toBe(true);
  const given = (authentikSecrets: Table) => faults({ ...SMALL, authentikSecrets }, ["authentikSecrets"]);
  expect(
    await given({ AUTHENTIK_POSTGRESQL__HOST: "x", AUTHENTIK_POSTGRESQL__READ_REPLICAS__0__PASSWORD: "x" }),
  ).toEqual([
    "authentikSecrets.AUTHENTIK_POSTGRESQL__HOST: AUTHENTIK_POSTGRESQL__HOST is set by the platform; remove it",
  ]);
  for (const name of ["HTTPS_PROXY", "AUTHENTIK_WEB__PATH"])
    expect(await given({ [name]: "x" })).toEqual([
      `authentikSecrets.${name}: cannot be read from a file; set it in authentik.environment`,
    ]);
  expect(await given({ MAIL: "x" })).toEqual([
    expect.stringMatching(/^authentikSecrets: expected a variable such as /),
  ]);
});

test("a setting that a version of authentik does not support is not reserved for the platform", async () => {
  const own = "is set by the platform; remove it";
  const set = (version: string, name: string) =>
    faults(changed(OLD, { "authentik.version": version, [`authentik.environment.${name}`]: "x" }));
  for (const [name, from, to] of [
    ["AUTHENTIK_CACHE__URL", "2025.8.4", "2025.10.0"],
    ["AUTHENTIK_WEB__BASE_URL", "2026.8.0", "2026.5.6"],
  ] as const) {
    expect(await set(from, name)).toEqual([`authentik.environment.${name}: ${name} ${own}`]);
    expect(await set(to, name)).toEqual([]);
  }
});

test("the first administrator's password is one secret, or its hash in versions that support one, and is not shown", async () => {
  const PASSWORD = "AUTHENTIK_BOOTSTRAP_PASSWORD";
  const HASH = "AUTHENTIK_BOOTSTRAP_PASSWORD_HASH";
  const given = (authentikSecrets: Table, version = "2026.8.3") =>
    faults(changed({ ...SMALL, authentikSecrets }, { "authentik.version": version }), ["authentikSecrets"]);
  const hash = "pbkdf2_sha256$1000000$salt$aGFzaA==";
  expect(await given({ [PASSWORD]: 'hunter2 "quoted" $x' })).toEqual([]);
  expect(await given({ [HASH]: hash, AUTHENTIK_BOOTSTRAP_TOKEN: "token" })).toEqual([]);
  expect(await given({ [HASH]: hash }, "2026.5.0")).toEqual([]);
  expect(await given({ [HASH]: hash }, "2026.2.1")).toEqual([
    `authentikSecrets.${HASH}: requires authentik 2026.5 or later; set ${PASSWORD} instead, or neither to have a password generated`,
  ]);
  expect(await given({ [PASSWORD]: "x", [HASH]: hash })).toEqual([
    `authentikSecrets.${HASH}: ${PASSWORD} is also set; remove one of them`,
  ]);
  for (const bad of ["", " hunter2", "hunter2\n", "hun\nter2", '"hunter2"', "[hunter2"])
    expect(await given({ [PASSWORD]: bad })).toEqual([
      `authentikSecrets.${PASSWORD}: expected one line without leading or trailing blanks and without a leading quote or bracket`,
    ]);
});

test("the secret key of an existing authentik is used, and then none is generated: raising `rotation` is refused", async () => {
  const table = { ...SMALL, authentikSecrets: { AUTHENTIK_SECRET_KEY: "from before" } };
  expect(await faults(table, ["authentikSecrets"])).toEqual([]);
  expect(await faults(changed(table, { "authentik.rotation": 2 }), ["authentikSecrets"])).toEqual([
    "authentik.rotation: generates a new secret key, but AUTHENTIK_SECRET_KEY is set; remove that to have a new key generated",
  ]);
});

test("plain values for secret keys are refused, with the command that encrypts them", async () => {
  expect(await faults({ ...SMALL, sshKey: "-----KEY-----" })).toEqual([
    "sshKey: must be encrypted: pulumi config set --secret gatehouse:sshKey < KEYFILE",
  ]);
  expect(await faults({ ...SMALL, sshKey: "-----KEY-----" }, ["sshKey"])).toEqual([]);
});

describe("a secret of the backup", () => {
  const FOLDER = changed(SMALL, { "backup.repository.path": "/srv/backups" });
  const SERVER = { address: "198.51.100.9", user: "gatehouse", hostKey: "ssh-ed25519 AAAA", path: "/srv/backups" };
  const SFTP = changed(SMALL, { "backup.repository.sftp": SERVER });
  const S3 = changed(SMALL, { "backup.repository.s3": { endpoint: "s3.example.org", bucket: "backups", keyId: "A" } });
  const SET = "pulumi config set --secret gatehouse:backupKey < KEYFILE";

  test("is a key if the repository needs one, and none otherwise", async () => {
    expect(await faults(SFTP)).toEqual([`backupKey: expected the private key for backup.repository.sftp: ${SET}`]);
    expect(await faults(S3)).toEqual([`backupKey: expected the secret of backup.repository.s3.keyId: ${SET}`]);
    expect(await faults(FOLDER)).toEqual([]);
    const needless = ["backupKey: is not used: pulumi config rm gatehouse:backupKey"];
    expect(await faults({ ...FOLDER, backupKey: "x" }, ["backupKey"])).toEqual(needless);
    expect(await faults({ ...SMALL, backupKey: "x" }, ["backupKey"])).toEqual(needless);
    expect(await faults({ ...SFTP, backupKey: newKey().private }, ["backupKey"])).toEqual([]);
    expect(await faults({ ...S3, backupKey: "x" }, ["backupKey"])).toEqual([]);
  });

  test("is a private key that needs no passphrase", async () => {
    const found = (key: string) => faults({ ...SFTP, backupKey: key }, ["backupKey"]);
    const locked = ssh2.utils.generateKeyPairSync("ed25519", { cipher: "aes256-cbc", passphrase: "p", rounds: 1 });
    expect(await found(locked.private)).toEqual([
      `backupKey: has a passphrase, which a backup cannot ask for: create a key without one (\`ssh-keygen -t ed25519 -N '' -f KEYFILE\`): ${SET}`,
    ]);
    const format = "a private key in OpenSSH or PEM format, which begins with -----BEGIN ... PRIVATE KEY-----";
    for (const key of [newKey().public, "~/.ssh/id_ed25519"])
      expect(await found(key)).toEqual([`backupKey: is not ${format}: ${SET}`]);
  });

  test("is encrypted, or refused without being shown", async () => {
    expect(await faults({ ...SFTP, backupKey: newKey().private })).toEqual([`backupKey: must be encrypted: ${SET}`]);
    expect(await faults({ ...FOLDER, backupPassphrase: "hunter2" })).toEqual([
      "backupPassphrase: must be encrypted: pulumi config set --secret gatehouse:backupPassphrase",
    ]);
  });

  test("is one line if it is written to a file of lines", async () => {
    const line = "expected one line without leading or trailing blanks";
    const secret = ["backupKey", "backupPassphrase"];
    for (const bad of ["a\nb", " a", "a ", "\n", "a\u0000"])
      expect(await faults({ ...S3, backupKey: bad, backupPassphrase: bad }, secret)).toEqual([
        `backupKey: ${line}`,
        `backupPassphrase: ${line}`,
      ]);
    expect(await faults({ ...SFTP, backupKey: newKey().private }, secret)).toEqual([]);
  });

  test("is a passphrase only if there is a backup", async () => {
    expect(await faults({ ...FOLDER, backupPassphrase: "x" }, ["backupPassphrase"])).toEqual([]);
    expect(await faults({ ...SMALL, backupPassphrase: "x" }, ["backupPassphrase"])).toEqual([
      "backupPassphrase: is not used without backup: pulumi config rm gatehouse:backupPassphrase",
    ]);
  });

  test("excludes PostgreSQL settings for archiving that contradict it, and only then", async () => {
    const settings = { archive_command: "cp %p /srv/wal/%f", wal_level: "minimal" };
    expect(await faults(changed(FOLDER, { "postgres.settings": settings }))).toEqual([
      "postgres.settings.archive_command: archive_command is set by the backup; remove it",
      "postgres.settings.wal_level: minimal WAL is not enough for a backup; remove it",
    ]);
    expect(await faults(changed(SMALL, { "postgres.settings": settings }))).toEqual([]);
    expect(await faults(changed(FOLDER, { "postgres.settings.wal_level": "logical" }))).toEqual([]);
  });
});

test("an encrypted key other than the secret ones is refused, because its values would end in plain files, and is not shown", async () => {
  const table = changed(SMALL, { "authentik.environment.AUTHENTIK_EMAIL__PASSWORD": " hunter2" });
  expect(await faults(table, ["authentik"])).toEqual([
    "authentik: is encrypted, but its values are written to files in plain text; secret settings of authentik belong in authentikSecrets",
  ]);
  expect((await faults(table)).join()).toContain("hunter2");
});

test("authentik up to 2025.8 needs Valkey and a database there; the message has the next free number", async () => {
  expect(await faults(OLD)).toEqual([]);
  expect(await faults(changed(OLD, { "authentik.valkey": false }))).toEqual([
    "authentik.valkey: authentik 2025.8.4 needs Valkey; versions from 2025.10 on do not",
  ]);
  expect(await faults(changed(OLD, { "valkey.databases": { grafana: 1, wiki: 2 } }))).toEqual([
    "valkey.databases: authentik 2025.8.4 keeps its cache in Valkey and needs a database there: add authentik: 3",
  ]);
  expect(await faults(changed(SMALL, { "authentik.valkey": false }))).toEqual([]);
});

test("authentik before 2025.8 is too old: it stores more in Valkey than the platform provides", async () => {
  expect(await faults(changed(OLD, { "authentik.version": "2025.6.4" }))).toEqual([
    "authentik.version: 2025.6.4 is too old: the oldest version that the platform can run is 2025.8",
  ]);
  expect(await faults(changed(OLD, { "authentik.version": "2025.8.0" }))).toEqual([]);
});

test("two groups cannot have one GID", async () => {
  expect(await faults(changed(SMALL, { "postgres.gid": 900, "valkey.gid": 900 }))).toEqual([
    "valkey.gid: GID 900 is already postgres.gid; each group needs its own GID",
  ]);
  expect(await faults(changed(SMALL, { "postgres.gid": 900, "valkey.gid": 901 }))).toEqual([]);
});

test("two applications cannot have one Valkey database", async () => {
  expect(await faults(changed(SMALL, { "valkey.databases": { a: 1, b: 1 } }))).toEqual([
    "valkey.databases.b: database 1 already belongs to a; the next free one is 2",
  ]);
  expect(await faults(changed(SMALL, { "valkey.databases": { a: 1, b: 2 } }))).toEqual([]);
});

test("authentik's own database, role and site cannot be configured", async () => {
  const own = "the platform creates authentik's databases and role; remove it";
  expect(await faults(changed(SMALL, { "postgres.databases.authentik": {} }))).toEqual([
    `postgres.databases.authentik: ${own}`,
  ]);
  expect(await faults(changed(SMALL, { "postgres.roles.authentik": { auth: "peer" } }))).toEqual([
    `postgres.roles.authentik: ${own}`,
  ]);
  expect(await faults(changed(SMALL, { "postgres.databases.authentik_before_upgrade": {} }))).toHaveLength(1);
  const site = { domain: "a.example.org", backend: "127.0.0.1:1" };
  expect(await faults(changed(SMALL, { "caddy.sites.authentik": site }))).toEqual([
    "caddy.sites.authentik: the site authentik is created by the platform; choose another name",
  ]);
  expect(await faults(changed(SMALL, { "caddy.sites.other": site, "postgres.databases.other": {} }))).toEqual([]);
});

test("a public name belongs to one site", async () => {
  const site = (domain: string) => ({ domain, backend: "127.0.0.1:1" });
  expect(await faults(changed(SMALL, { "caddy.sites.a": site("auth.example.org") }))).toEqual([
    "caddy.sites.a.domain: auth.example.org is already authentik.domain",
  ]);
  expect(
    await faults(changed(SMALL, { "caddy.sites": { a: site("x.example.org"), b: site("x.example.org") } })),
  ).toEqual(["caddy.sites.b.domain: x.example.org is already the domain of the site a"]);
  expect(await faults(changed(SMALL, { "caddy.sites.a": site("x.example.org") }))).toEqual([]);
});

describe("logins to registries", () => {
  const SET = `pulumi config set --secret --path 'gatehouse:registries["ghcr.io"].password'`;
  const given = (registries: unknown, secret = ["registries"]) => faults({ ...SMALL, registries }, secret);
  const login = { username: "deploy", password: "hunter2" };

  test("are encrypted, or refused without being shown", async () => {
    expect(await given({ "ghcr.io": login }, [])).toEqual([`registries: must be encrypted: ${SET}`]);
    expect(await given({ "ghcr.io": login, "registry.example.org:5000": login, localhost: login })).toEqual([]);
    const { registries } = await read({ ...SMALL, registries: { "ghcr.io": login } }, ["registries"]);
    const output = registries as unknown as { promise(): Promise<unknown>; isSecret: Promise<boolean> };
    expect([await output.promise(), await output.isSecret]).toEqual([{ "ghcr.io": login }, true]);
  });

  test("have all faults reported together, without values", async () => {
    const registry =
      "expected a registry as at the beginning of an image name, such as ghcr.io or registry.example.org:5000";
    expect(await given("hunter2")).toEqual(["registries: expected registries, each with username and password"]);
    expect(
      await given({
        "https://ghcr.io": login,
        "ghcr.io/team": login,
        a: "hunter2",
        b: { username: "hunter2" },
        c: { username: "hunter 2", password: "hunter2 " },
        d: { ...login, email: "hunter2" },
      }),
    ).toEqual([
      `registries.https://ghcr.io: ${registry}`,
      `registries.ghcr.io/team: ${registry}`,
      "registries.a: expected username and password",
      "registries.b.password: expected one line without leading or trailing blanks",
      "registries.c.username: expected a user name without blanks and colons",
      "registries.c.password: expected one line without leading or trailing blanks",
      "registries.d.email: unknown key",
    ]);
  });
});

test("Pulumi.prod.yaml in this repository is accepted", async () => {
  const text = readFileSync(new URL("../../Pulumi.prod.yaml", import.meta.url), "utf8");
  // A dependency of the SDK, without types.
  const { load } = createRequire(import.meta.url)("js-yaml") as { load(text: string): { config: Table } };
  const entries = Object.entries(load(text).config).map(([key, value]) => [key.replace(/^gatehouse:/, ""), value]);
  const isSecret = (value: unknown) => typeof value === "object" && value !== null && "secure" in value;
  const secret = entries.filter(([, value]) => isSecret(value)).map(([key]) => key as string);
  // The file's comments explain how to set it.
  const table = { ...Object.fromEntries(entries), backupKey: newKey().private };
  expect(await faults(table, [...secret, "backupKey"])).toEqual([]);
});
