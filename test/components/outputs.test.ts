import { beforeAll, expect, test } from "vitest";
import { platformSchema } from "../../components/platform/contract.ts";
import { HOST_KEY, type Run, runProgram, Secret, SMALL } from "./program.ts";

let run: Run;
let platform: Record<string, unknown>;
let recovery: unknown;
let logins: unknown;
let readme: unknown;
let names: string[];

beforeAll(async () => {
  const { outputs, ...rest } = await runProgram({
    config: {
      ...SMALL,
      valkey: { databases: { grafana: 2 } },
      postgres: { databases: { wiki: {} }, roles: { wiki: { auth: "scram" } } },
    },
  });
  run = rest;
  names = Object.keys(outputs);
  recovery = outputs.recovery;
  platform = outputs.platform as typeof platform;
  logins = outputs.logins;
  readme = outputs.readme;
});

test("a stack exports one object with a version, and the logins separately", () => {
  expect(names.sort()).toEqual(["administrator", "logins", "platform", "readme", "recovery"]);
  // Not undefined, since the engine warns about that at each run.
  expect(recovery, "there is no backup").toBeNull();
  expect(platform.schemaVersion).toBe(1);
});

test("the readme describes where everything is, without secrets", () => {
  expect(readme).toContain("stack test\n");
  expect(readme).toContain("authentik is at https://auth.example.org. The first user is akadmin");
  expect(readme).toContain("On the host, root@192.0.2.10, as root:");
  expect(readme).toContain("`pulumi destroy --stack test` stops the services and keeps all data, secrets and backups.");
});

test("the readme says where the backups are and which output a restore elsewhere needs, or that there are none", async () => {
  expect(readme).toContain("There are no backups");
  expect(readme).not.toContain("recovery");
  const { outputs } = await runProgram({ config: { ...SMALL, backup: { repository: { path: "/srv/backups" } } } });
  expect(outputs.readme).toContain("Backups are in /srv/backups.");
  expect(outputs.readme).toContain("`pulumi stack output recovery --show-secrets --stack test`");
  expect(outputs.readme).not.toContain("There are no backups");
});

test("the platform has exactly these keys: a change here is a change for other stacks (M21)", () => {
  expect(platform).toEqual({
    schemaVersion: 1,
    host: { address: "192.0.2.10", port: 22, hostKey: HOST_KEY, platform: "debian" },
    groups: {
      postgres: { name: "postgres-clients", gid: 987 },
      valkey: { name: "valkey-clients", gid: 986 },
    },
    postgres: {
      socketDirectory: "/run/postgresql",
      socket: "/run/postgresql/.s.PGSQL.5432",
      port: 5432,
      unit: "postgresql@17-main.service",
      hbaDirectory: "/etc/postgresql/17/main/hba.d",
      versions: { postgres: "1.2.3-1" },
    },
    valkey: {
      socketDirectory: "/run/valkey",
      socket: "/run/valkey/valkey.sock",
      port: 6379,
      unit: "valkey-server.service",
      databases: { grafana: 2 },
      versions: { valkey: "1.2.3-1" },
    },
    caddy: {
      siteDirectory: "/etc/caddy/sites",
      unit: "caddy.service",
      tls: "acme",
      versions: { caddy: "1.2.3-1" },
    },
    authentik: {
      url: "https://auth.example.org",
      issuer: "https://auth.example.org/application/o/",
      uid: 985,
      gid: 985,
    },
  });
});

test("matches the schema that consumers use, key by key", () => {
  expect(platformSchema.parse(platform)).toEqual(platform);
});

test("its files and ports are those of the releases", () => {
  const { postgres, valkey } = platformSchema.parse(platform);
  expect(run.named("release-postgres").inputs.stdin).toContain(`path = "${postgres.hbaDirectory}"`);
  expect(run.named("release-valkey").inputs.stdin).toContain(`\nport ${valkey.port}\n`);
  expect(run.named("release-valkey").inputs.stdin).toContain(`\nunixsocket ${valkey.socket}\n`);
});

test("contains no secret: a StackReference would make all of it secret, including GIDs (H4, M21)", () => {
  const holds = (value: unknown): boolean =>
    value instanceof Secret || (typeof value === "object" && value !== null && Object.values(value).some(holds));
  expect(holds(platform)).toBe(false);
  expect(holds(logins)).toBe(true);
});

test("with a backup there is a secret output for a restore elsewhere; the platform is the same", async () => {
  const { outputs } = await runProgram({
    config: { ...SMALL, backup: { repository: { path: "/srv/backups" } } },
    answers: { "release-backup-secrets": { generation: 3, opens: { "/srv/backups": "of the host" } } },
  });
  expect(outputs.recovery).toEqual(new Secret({ passphrase: "of the host", repository: "/srv/backups" }));
  expect(Object.keys(outputs.platform as object)).toEqual(Object.keys(platform));
});

test("the first administrator's password is a separate secret output, and absent if the operator sets it", async () => {
  const { outputs } = await runProgram({ config: SMALL });
  expect(outputs.administrator).toEqual(
    new Secret({ name: "akadmin", password: "password-of-gatehouse-authentik-first-password" }),
  );
  const given = { AUTHENTIK_BOOTSTRAP_PASSWORD: "hunter2", AUTHENTIK_EMAIL__PASSWORD: "of the mail" };
  const run = await runProgram({ config: SMALL, secrets: { authentikSecrets: JSON.stringify(given) } });
  expect(run.outputs.administrator).toBeNull();
  const secrets = (run.named("release-authentik-secrets").inputs.stdin as Secret).value as string;
  expect(secrets).toContain("AUTHENTIK_BOOTSTRAP_PASSWORD=hunter2");
  expect(run.resources.map(({ name }) => name)).not.toContain("gatehouse-authentik-first-password");
  expect(run.named("release-authentik").inputs.stdin).toContain(
    "AUTHENTIK_EMAIL__PASSWORD=file:///run/secrets/authentik/AUTHENTIK_EMAIL__PASSWORD",
  );
  expect(run.named("release-authentik").inputs.stdin).not.toContain("BOOTSTRAP_PASSWORD");
});

test("a path of authentik is part of its URL", async () => {
  const authentik = { ...SMALL.authentik, environment: { AUTHENTIK_WEB__PATH: "/auth/" } };
  const { outputs } = await runProgram({ config: { ...SMALL, authentik } });
  const facts = (outputs.platform as { authentik: object }).authentik;
  expect(facts).toMatchObject({
    url: "https://auth.example.org/auth",
    issuer: "https://auth.example.org/auth/application/o/",
  });
  expect(platformSchema.parse(outputs.platform)).toEqual(outputs.platform);
});

test("contains no private key: a consumer has its own (H19)", () => {
  expect(JSON.stringify(platform)).not.toMatch(/PRIVATE KEY|privateKey|sshKey/);
  expect(JSON.stringify(platform)).toContain(HOST_KEY);
});
