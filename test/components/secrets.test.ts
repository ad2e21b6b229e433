import { beforeAll, expect, test } from "vitest";
import { debian } from "../../components/distribution/debian.ts";
import { Host } from "../../components/host/host.ts";
import { Release } from "../../components/host/release.ts";
import { HOST_KEY, type Recorded, record, runProgram, Secret, SMALL, SSH_KEY } from "./program.ts";

let resources: Recorded[];
let outputs: Record<string, unknown>;

beforeAll(async () => {
  ({ resources, outputs } = await runProgram({
    config: {
      ...SMALL,
      authentik: { ...SMALL.authentik, version: "2025.8.4" },
      valkey: { databases: { authentik: 1, grafana: 2 } },
      postgres: { databases: { wiki: {} }, roles: { wiki: { auth: "scram" } } },
      backup: { repository: { sftp: { ...SMALL.host, user: "gatehouse", path: "/srv/backups" } } },
    },
    secrets: { backupKey: BACKUP_KEY },
  }));
});

const BACKUP_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nthe key for the backups\n-----END OPENSSH PRIVATE KEY-----\n";
const SECRET = [
  "release-authentik-secrets",
  "release-backup-secrets",
  "release-postgres-passwords",
  "release-valkey-authentik",
  "release-valkey-gatehouse",
  "release-valkey-grafana",
];
const commands = () => resources.filter(({ type }) => type === "command:remote:Command");

test("exactly the releases of secrets are secret: their input, output and log", () => {
  const secret = commands().filter(({ inputs }) => inputs.stdin instanceof Secret);
  expect(secret.map(({ name }) => name)).toEqual(SECRET);
  for (const { name, options, inputs } of secret) {
    expect(options.additionalSecretOutputs, name).toEqual(expect.arrayContaining(["stdout", "stderr"]));
    expect(inputs.logging, name).toBe("none");
    expect((inputs.stdin as Secret).value, name).toContain("\nsecret = true\n");
  }
});

test("the others stay readable: outputs, and progress in the log", () => {
  for (const { name, options, inputs } of commands().filter(
    ({ name }) => name !== "host-agent" && !SECRET.includes(name),
  )) {
    expect(options.additionalSecretOutputs, name).not.toContain("stdout");
    expect(inputs.logging, name).toBe("stderr");
    expect(inputs.stdin, name).not.toContain("secret = true");
  }
});

test("a generation number is not secret, or every manifest that contains one would be (H4)", () => {
  for (const name of ["release-authentik", "release-backup", "release-valkey"]) {
    const { inputs } = commands().find((command) => command.name === name) as Recorded;
    expect(inputs.stdin, name).toBeTypeOf("string");
    expect(inputs.stdin, name).toMatch(/\/var\/lib\/gatehouse\/secrets\/[a-z-]+\/3/);
  }
});

test("no secret is readable anywhere: not in a command, a document or an argument", () => {
  const open = JSON.stringify(resources.map(({ inputs, ...rest }) => ({ ...rest, inputs: withoutSecrets(inputs) })));
  // The mocks' answer for every generated password.
  expect(open).not.toContain("password-of-");
  expect(open).not.toContain(SSH_KEY.split("\n")[1]);
  expect(open).not.toContain(BACKUP_KEY.split("\n")[1]);
  // Positive counterpart: the secret values contain them.
  const all = JSON.stringify(resources);
  expect(all).toContain("password-of-gatehouse-valkey-gatehouse");
  expect(all).toContain("password-of-gatehouse-authentik-secret-key");
  expect(all).toContain("password-of-gatehouse-backup-passphrase");
  expect(all).toContain(BACKUP_KEY.split("\n")[1]);
});

test("the commands of pgBackRest and restic are readable, and their passphrases and logins are not (H4)", () => {
  const { inputs } = commands().find(({ name }) => name === "release-backup") as Recorded;
  expect(inputs.stdin).toContain("repo1-cipher-pass={{secrets backup-secrets/3/passphrase}}");
  expect(inputs.stdin).toContain("/var/lib/gatehouse/secrets/backup-secrets/3/key");
});

test("a configured passphrase is used for the repository, and none is generated", async () => {
  const { named, resources } = await runProgram({
    config: { ...SMALL, backup: { repository: { path: "/srv/backups" } } },
    secrets: { backupPassphrase: "of the lost state" },
  });
  expect((named("release-backup-secrets").inputs.stdin as Secret).value).toContain('content = "of the lost state"');
  expect(resources.map(({ name }) => name)).not.toContain("backup-passphrase");
});

test("a configured secret key replaces the generated one, in the secret document only", async () => {
  const authentikSecrets = { AUTHENTIK_SECRET_KEY: "the key from before" };
  const given = (await runProgram({ config: { ...SMALL, authentikSecrets } })).resources;
  const holding = given.filter(({ inputs }) => JSON.stringify(inputs).includes("the key from before"));
  expect(holding.map(({ name }) => name)).toEqual(["release-authentik-secrets"]);
  expect(JSON.stringify(holding.map(({ inputs }) => withoutSecrets(inputs)))).not.toContain("the key from before");
  expect(given.map(({ name }) => name)).not.toContain("gatehouse-authentik-secret-key");
  expect(resources.map(({ name }) => name)).toContain("gatehouse-authentik-secret-key");
});

test("logins to registries are in their own secret release, before an image is pulled", async () => {
  const registries = { "ghcr.io": { username: "deploy", password: "the password of ghcr.io" } };
  const run = await runProgram({ config: SMALL, secrets: { registries: JSON.stringify(registries) } });
  const holding = run.resources.filter(({ inputs }) => JSON.stringify(inputs).includes("the password of ghcr.io"));
  expect(holding.map(({ name }) => name)).toEqual(["release-registries-secrets"]);
  expect(JSON.stringify(holding.map(({ inputs }) => withoutSecrets(inputs)))).not.toContain("the password of ghcr.io");
  expect(run.named("release-registries").inputs.stdin).toContain("/secrets/registries-secrets/3");
  expect(run.named("release-authentik").dependsOn).toContain("release-registries");
  expect(resources.map(({ name }) => name)).not.toContain("release-registries");
});

test("Valkey's rules are readable and its hashes are not (H4)", () => {
  const { inputs } = commands().find(({ name }) => name === "release-valkey") as Recorded;
  expect(inputs.stdin).toContain("user grafana on {{secrets valkey-grafana/hash}} ~* &* +@all");
});

test("logins leave the program only as secret outputs", () => {
  expect(outputs.recovery).toBeInstanceOf(Secret);
  expect(outputs.logins).toMatchObject({ postgres: { wiki: new Secret("password-of-gatehouse-postgres-wiki") } });
  expect(JSON.stringify(withoutSecrets(outputs))).not.toContain("password-of-");
});

test("generated secrets consist of letters and digits only, and are long", () => {
  const passwords = resources.filter(({ type }) => type.endsWith(":RandomPassword"));
  expect(passwords).toHaveLength(7);
  for (const { name, inputs } of passwords) {
    expect([name, inputs.special]).toEqual([name, false]);
    expect(inputs.length, name).toBeGreaterThanOrEqual(48);
  }
});

test("the salt of a SCRAM verifier is kept in the state, so that it is the same in every preview (H23)", () => {
  expect(resources.find(({ name }) => name === "gatehouse-postgres-wiki-salt")?.type).toContain(":RandomBytes");
});

test("a release that is declared secret is secret, even if nothing in its manifest is", async () => {
  const { named } = await record({ config: {} }, () => {
    const connection = { address: "192.0.2.10", port: 22, user: "root", sudo: false, hostKey: HOST_KEY };
    const host = new Host("host", { connection, platform: debian, gids: {} });
    new Release("open", { host, manifest: {} });
    new Release("closed", { host, manifest: {}, secret: true });
  });
  expect(named("release-open").inputs.stdin).toContain('release = "open"');
  expect(named("release-closed").inputs.stdin).toBeInstanceOf(Secret);
});

function withoutSecrets(value: unknown): unknown {
  if (value instanceof Secret) return "[secret]";
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutSecrets(inner)]));
}
