// The arguments of each component: defaults apply in it, and all faults are reported together, before it is declared.
import * as pulumi from "@pulumi/pulumi";
import { describe, expect, test } from "vitest";
import {
  Authentik,
  Backup,
  Caddy,
  Gatehouse,
  Host,
  Postgres,
  platforms,
  Registries,
  Valkey,
} from "../../components/library.ts";
import { newKey } from "../unit/sshd.ts";
import { HOST_KEY, type Run, record, resolved, Secret } from "./program.ts";

const newHost = () =>
  new Host("host", { connection: { address: "192.0.2.10", hostKey: HOST_KEY }, platform: platforms.debian });
const run = (body: (host: Host) => unknown): Promise<Run> => record({ config: {} }, () => body(newHost()));

/** The message of the component that a body declares, and the types of all components that were declared. */
async function refusal(body: (host: Host) => unknown): Promise<{ message: string; declared: string[] }> {
  let message = "";
  const { resources } = await run((host) => {
    try {
      body(host);
    } catch (error) {
      expect(pulumi.RunError.isInstance(error), String(error)).toBe(true);
      message = (error as Error).message;
    }
  });
  const types = resources.filter(({ custom }) => !custom).map(({ type }) => type.replace("gatehouse:index:", ""));
  return { message, declared: [...new Set(types)].sort() };
}
const document = ({ inputs: { stdin } }: { inputs: Record<string, unknown> }) =>
  String(stdin instanceof Secret ? stdin.value : stdin);

const AUTHENTIK = { domain: "auth.example.org", version: "2026.8.3" };
const WITHOUT = "expected one line without leading or trailing blanks";

test("what has a default may be left out: each service in its smallest form", async () => {
  const { named } = await run((host) => {
    const postgres = new Postgres("postgres", { host });
    new Valkey("valkey", { host });
    const authentik = new Authentik("authentik", { host, postgres, ...AUTHENTIK });
    new Caddy("caddy", { host, sites: { authentik: { ...authentik.site, after: authentik.ready } } });
    new Backup("backup", { host, after: postgres.ready, repository: { path: "/srv/backups" } });
  });
  expect(document(named("release-authentik"))).toContain("ghcr.io/goauthentik/server:2026.8.3");
  expect(document(named("release-authentik"))).toContain("127.0.0.1:9000:9000");
  expect(document(named("release-backup"))).toContain("OnCalendar=*-*-* 02:00:00");
  expect(document(named("release-valkey"))).toContain("databases 16");
  expect(document(named("release-site-authentik"))).toContain("reverse_proxy 127.0.0.1:9000");
});

describe("all faults are reported together, with their paths, and nothing is declared", () => {
  test.each<[string, (host: Host) => unknown, unknown[]]>([
    [
      "Postgres",
      (host) => new Postgres("x", { host, gid: 0, databases: { postgres: {} }, roles: { a: { connections: 0 } } }),
      [
        "gid: expected a GID from 1 to 65533, got 0",
        "databases.postgres: postgres is reserved for PostgreSQL or gatehouse; choose another",
        "roles.a.connections: expected a number of connections from 1 to 262143, got 0",
      ],
    ],
    [
      "Valkey",
      (host) => new Valkey("x", { host, databaseCount: 1, settings: { port: 1 } }),
      ["settings.port: port is set by the platform; remove it", "databaseCount: expected at least 2, got 1"],
    ],
    [
      "Caddy",
      (host) =>
        new Caddy("x", {
          host,
          email: "nobody",
          trustedProxies: ["0.0.0.0/0"],
          sites: { a: { domain: "A", backend: "192.0.2.1:80" } },
        }),
      [
        "trustedProxies.0: 0.0.0.0/0 contains every address, so any client could claim another address; list the networks of the proxies",
        'email: expected an e-mail address, got "nobody"',
        'sites.a.domain: expected a domain name in lower case, such as auth.example.org, got "A"',
        'sites.a.backend: expected a plain-HTTP address on this host such as 127.0.0.1:8080, got "192.0.2.1:80"',
      ],
    ],
    [
      "Caddy",
      (host) => {
        const site = { domain: "a.example.org", backend: "127.0.0.1:80" };
        return new Caddy("x", { host, sites: { a: site, b: site } });
      },
      ["sites.b.domain: a.example.org is already the domain of the site a"],
    ],
    [
      "Backup",
      (host) => {
        const s3 = { endpoint: "s3.example.org", bucket: "backups", keyId: "AKIA" };
        return new Backup("x", { host, after: [], repository: { s3 }, keep: 0, passphrase: " " });
      },
      [
        "key: expected the secret of backup.repository.s3.keyId",
        `passphrase: ${WITHOUT}`,
        "keep: expected a whole number of at least 1, got 0",
      ],
    ],
    [
      "Registries",
      (host) => {
        const login = { username: "a b", password: "p" };
        return new Registries("x", { host, logins: { "ghcr.io": login, "Ghcr.io": login } });
      },
      [
        "logins.ghcr.io.username: expected a user name without blanks and colons",
        "logins.Ghcr.io: expected a registry as at the beginning of an image name, such as ghcr.io or registry.example.org:5000",
        "logins.Ghcr.io.username: expected a user name without blanks and colons",
      ],
    ],
    [
      "Host",
      () =>
        new Host("x", {
          connection: { address: "a b", port: 0, hostKey: "none" },
          platform: platforms.debian,
          takeOver: ["it"],
        }),
      [
        'connection.address: expected an IP address or a host name, got "a b"',
        "connection.port: expected a port from 1 to 65535, got 0",
        expect.stringMatching(/^connection\.hostKey: expected a host key such as/),
        expect.stringMatching(/^takeOver\.0: expected a kind/),
      ],
    ],
  ])("%s", async (component, body, faults) => {
    const { message, declared } = await refusal(body);
    const [first, ...lines] = message.split("\n  ");
    expect(first).toBe(`${component} x is invalid; nothing was changed:`);
    expect(lines).toEqual(faults);
    expect(declared).toEqual(["Host"]);
  });

  test("authentik: its settings, its secret settings, and what its version needs", async () => {
    const { message } = await refusal((host) => {
      const postgres = new Postgres("postgres", { host, databases: { authentik: {} } });
      const environment = { AUTHENTIK_HOST: " ", AUTHENTIK_EMAIL__HOST: "mail" };
      const secretEnvironment = { AUTHENTIK_SECRET_KEY: "x", AUTHENTIK_EMAIL__HOST: "mail", TZ: "UTC" };
      const settings = { domain: "auth", version: "2025.8.4", rotation: 2, environment, secretEnvironment };
      new Authentik("x", { host, postgres, ...settings });
    });
    expect(message.split("\n  ").slice(1)).toEqual([
      "secretEnvironment.AUTHENTIK_EMAIL__HOST: is also in authentik.environment; remove one of them",
      "secretEnvironment.TZ: cannot be read from a file; set it in authentik.environment",
      `rotation: generates a new secret key, but AUTHENTIK_SECRET_KEY is set; remove that to have a new key generated`,
      "valkey: authentik 2025.8.4 needs Valkey; versions from 2025.10 on do not",
      'domain: expected a domain name in lower case, such as auth.example.org, got "auth"',
      expect.stringMatching(/^environment\.AUTHENTIK_HOST: " " would be read differently/),
    ]);
  });
});

test("the whole platform reports the faults of all its parts, secrets included, and declares none of them", async () => {
  const { message, declared } = await refusal(
    () =>
      new Gatehouse("prod", {
        host: { address: "a b", hostKey: HOST_KEY },
        postgres: { gid: 2000 },
        valkey: { gid: 2000 },
        authentik: { ...AUTHENTIK, port: 0, secretEnvironment: { AUTHENTIK_BOOTSTRAP_PASSWORD: " x" } },
        caddy: { sites: { authentik: { domain: "auth.example.org", backend: "127.0.0.1:80" } } },
        backup: { repository: { path: "/srv/backups" }, key: "x" },
        registries: { "ghcr.io": { username: "a b", password: "p" } },
      }),
  );
  expect(message.split("\n  ")).toEqual([
    "Gatehouse prod is invalid; nothing was changed:",
    "authentik.secretEnvironment.AUTHENTIK_BOOTSTRAP_PASSWORD: expected one line without leading or trailing blanks and without a leading quote or bracket",
    "backup.key: is not used",
    "registries.ghcr.io.username: expected a user name without blanks and colons",
    'host.address: expected an IP address or a host name, got "a b"',
    "authentik.port: expected a port from 1 to 65535, got 0",
    "valkey.gid: GID 2000 is already postgres.gid; each group needs its own GID",
    "caddy.sites.authentik.domain: auth.example.org is already authentik.domain",
    "caddy.sites.authentik: the site authentik is created by the platform; choose another name",
  ]);
  expect(declared).toEqual(["Host"]);
});

test("the smallest platform: a host, a domain and a version", async () => {
  const { named, resources } = await record({ config: {} }, async () => {
    const prod = new Gatehouse("prod", { host: { address: "192.0.2.10", hostKey: HOST_KEY }, authentik: AUTHENTIK });
    expect(await resolved(prod.authentik.url)).toBe("https://auth.example.org");
    expect(prod.recovery).toBeNull();
  });
  expect(document(named("release-site-authentik"))).toContain("auth.example.org");
  expect(resources.filter(({ parent }) => parent === "prod").map(({ name }) => name)).toEqual([
    "prod-authentik",
    "prod-caddy",
    "prod-host",
    "prod-postgres",
    "prod-valkey",
  ]);
});

test("a private key ends with a line break, and a secret of S3 and a passphrase do not, however they were read", async () => {
  const login = { address: "keeper.example.org", user: "backup", hostKey: HOST_KEY, path: "/srv/backups" };
  const s3 = { endpoint: "s3.example.org", bucket: "backups", keyId: "AKIA" };
  const own = newKey().private.trimEnd();
  for (const [repository, key, written] of [
    [{ sftp: login }, own, `'''\n${own}\n'''`],
    [{ s3 }, "hunter2\n", '"hunter2"'],
  ] as const) {
    const { named } = await run(
      (host) => new Backup("backup", { host, after: [], repository, key, passphrase: "a b\n" }),
    );
    expect(document(named("release-backup-secrets"))).toContain(`content = ${written}\n`);
    expect(document(named("release-backup-secrets"))).toContain('content = "a b"\n');
  }
});

test("an Output has no fault, since its value comes later; the plain values beside it have theirs", async () => {
  const later = (text: string) => {
    const output = pulumi.secret(text);
    // As with PULUMI_ERROR_OUTPUT_STRING=true: a message must not print an Output.
    const print = () => {
      throw new Error("an Output is printed");
    };
    return Object.assign(output, { toString: print, toJSON: print });
  };
  const { named } = await run((host) => {
    const password = later("x y");
    new Registries("registries", { host, logins: { "ghcr.io": { username: "deploy", password } } });
    const s3 = { endpoint: "s3.example.org", bucket: "backups", keyId: "AKIA" };
    new Backup("backup", { host, after: [], repository: { s3 }, key: pulumi.secret("k\n"), passphrase: password });
    const postgres = new Postgres("postgres", { host, databases: { authentik: {} } });
    const secretEnvironment = { AUTHENTIK_BOOTSTRAP_PASSWORD: password };
    new Authentik("authentik", { host, postgres, ...AUTHENTIK, secretEnvironment });
    const other = { address: later("192.0.2.12"), hostKey: HOST_KEY };
    new Host("other", { connection: other, platform: platforms.debian });
    const args = { authentik: { ...AUTHENTIK, secretEnvironment }, registries: password.apply(() => ({})) };
    const sftp = { address: "keeper.example.org", user: "backup", hostKey: HOST_KEY, path: "/srv/backups" };
    const two = { address: "192.0.2.11", hostKey: HOST_KEY, privateKey: password };
    const backup = { repository: { sftp }, key: later(newKey().private), passphrase: password };
    new Gatehouse("prod", { host: two, ...args, backup });
  });
  expect(document(named("release-registries-secrets"))).toContain("x y");
  expect(document(named("release-backup-secrets"))).toContain('content = "k"\n');
  const { message } = await refusal((host) => {
    new Registries("x", { host, logins: { "ghcr.io": { username: "a b", password: pulumi.secret("x y") } } });
  });
  expect(message.split("\n  ").slice(1)).toEqual([
    "logins.ghcr.io.username: expected a user name without blanks and colons",
  ]);
});
