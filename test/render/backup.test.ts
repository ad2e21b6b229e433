import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { backupManifest, backupSecrets } from "../../components/backup/manifest.ts";
import { type BackupSettings, backupSchema } from "../../components/backup/schema.ts";
import { settingsSchema } from "../../components/config/schema.ts";
import { debian } from "../../components/distribution/debian.ts";
import { CASES } from "./cases.ts";
import { file, partsOfCase, section, values } from "./rendered.ts";

const CONFIG = "/etc/pgbackrest/pgbackrest.conf";
const AGENT = "/etc/gatehouse/backup.toml";
const ARCHIVE = "/etc/postgresql/17/main/conf.d/gatehouse-archive.conf";
const SECRETS = "/var/lib/gatehouse/secrets/backup-secrets/5";
const FOLDER = "full";
const SFTP = "backup-over-sftp";
const S3 = "backup-in-a-bucket";
const EACH = [FOLDER, SFTP, S3];

const manifestOf = (name: string) => partsOfCase(name).backup ?? {};
const agent = (name: string) => parse(file(name, AGENT)) as Record<string, unknown> & { restic: string[] };

test("without the key there is no backup, and PostgreSQL archives nothing", () => {
  expect(partsOfCase("acme").backup).toBeUndefined();
  expect(() => file("acme", ARCHIVE)).toThrow("is not rendered");
});

describe("pgbackrest.conf", () => {
  const kind = (name: string) => section(file(name, CONFIG), "global").filter((line) => line.startsWith("repo1-"));

  test("of a folder contains the folder, and nothing of a server", () => {
    expect(kind(FOLDER)).toEqual([
      "repo1-type=posix",
      "repo1-path=/srv/backups/postgres",
      "repo1-cipher-type=aes-256-cbc",
      "repo1-cipher-pass={{secrets backup-secrets/5/passphrase}}",
      "repo1-retention-full=2",
      "repo1-bundle=y",
      "repo1-block=y",
    ]);
  });

  test("of an SFTP server trusts only the configured key, and logs in with the file that PostgreSQL's user can read", () => {
    expect(kind(SFTP).slice(0, 9)).toEqual([
      "repo1-type=sftp",
      "repo1-sftp-host=198.51.100.9",
      "repo1-sftp-host-port=2222",
      "repo1-sftp-host-user=gatehouse",
      `repo1-sftp-private-key-file=${SECRETS}/key`,
      "repo1-sftp-host-key-hash-type=sha256",
      "repo1-sftp-host-key-check-type=strict",
      "repo1-sftp-known-host=/etc/gatehouse/backup.known_hosts",
      "repo1-path=/srv/backups/postgres",
    ]);
    expect(file(SFTP, "/etc/gatehouse/backup.known_hosts")).toBe("[198.51.100.9]:2222 ecdsa-sha2-nistp256 AAAA\n");
  });

  test("of a bucket has the ID of the key, and the key itself from its file", () => {
    expect(kind(S3).slice(0, 8)).toEqual([
      "repo1-type=s3",
      "repo1-s3-endpoint=s3.example.org:9000",
      "repo1-s3-bucket=backups",
      "repo1-s3-region=us-east-1",
      "repo1-s3-uri-style=path",
      "repo1-s3-key=AKIAEXAMPLE",
      "repo1-s3-key-secret={{secrets backup-secrets/5/key}}",
      "repo1-path=/postgres",
    ]);
    // A restore continues over a new connection if the server runs out of handles; this requires whole files.
    expect(kind(SFTP).filter((line) => /bundle|block/.test(line))).toEqual([]);
  });

  test.each(EACH)("of case %s is encrypted, and contains only the secrets that the host fills in (H4)", (name) => {
    const config = file(name, CONFIG);
    expect(values(config, "repo1-cipher-type")).toEqual(["aes-256-cbc"]);
    expect(values(config, "repo1-cipher-pass")).toEqual(["{{secrets backup-secrets/5/passphrase}}"]);
  });

  test("is readable only for root and PostgreSQL's user: it contains the passphrase", () => {
    for (const name of EACH)
      expect(manifestOf(name).files?.find(({ path }) => path === CONFIG)).toMatchObject({
        mode: "0640",
        owner: "root:postgres",
      });
  });

  test("names the cluster by its folder and its socket, because PostgreSQL listens on nothing else (M11)", () => {
    expect(section(file(FOLDER, CONFIG), "main")).toEqual([
      "pg1-path=/var/lib/postgresql/17/main",
      "pg1-socket-path=/run/postgresql",
      "pg1-user=postgres",
    ]);
  });

  test("keeps WAL only once it is in the repository: nothing waits in a spool on the host", () => {
    expect(values(file(FOLDER, CONFIG), "archive-async")).toEqual(["n"]);
  });

  test("gives up an unavailable bucket sooner than pgBackRest would, and waits for a slow disk", () => {
    expect(EACH.map((name) => values(file(name, CONFIG), "io-timeout"))).toEqual([[], [], ["20"]]);
  });
});

describe("the configuration of the agent", () => {
  test("is exactly this", () => {
    expect(agent(FOLDER)).toEqual({
      stanza: "main",
      repository: "/srv/backups",
      full_days: 14,
      bin: "/usr/lib/postgresql/17/bin",
      config: "/etc/postgresql/17/main/postgresql.conf",
      data: "/var/lib/postgresql/17/main",
      user: "postgres",
      unit: "postgresql@17-main.service",
      socket_directory: "/run/postgresql",
      restic: ["restic", "--no-cache", "--repo", "/srv/backups/files", "--password-file", `${SECRETS}/passphrase`],
      restic_environment: [],
    });
  });

  test("shows where the backups are", () => {
    expect(EACH.map((name) => agent(name).repository)).toEqual([
      "/srv/backups",
      "sftp://gatehouse@198.51.100.9:2222/srv/backups",
      "s3://s3.example.org:9000/backups/",
    ]);
  });

  test("lets restic reach an SFTP server by ssh with one key and one host key, without prompts, and with a timeout", () => {
    const { restic } = agent(SFTP);
    // Two slashes: the second one begins the path.
    expect(restic[restic.indexOf("--repo") + 1]).toBe("sftp://gatehouse@198.51.100.9:2222//srv/backups/files");
    const [command = ""] = restic.filter((word) => word.startsWith("sftp.command="));
    expect(command).toMatch(/^sftp\.command=ssh -F none /);
    for (const words of [
      `-i ${SECRETS}/key`,
      "-o UserKnownHostsFile=/etc/gatehouse/backup.known_hosts",
      "-o GlobalKnownHostsFile=/dev/null",
      "-o StrictHostKeyChecking=yes",
      "-o IdentitiesOnly=yes",
      "-o BatchMode=yes",
      "-o ServerAliveInterval=30",
    ])
      expect(command).toContain(` ${words} `);
    expect(command).toMatch(/ -p 2222 gatehouse@198\.51\.100\.9 -s sftp$/);
  });

  test("lets restic reach a bucket over HTTPS with the key in its file", () => {
    const { restic, restic_environment } = agent(S3);
    expect(restic[restic.indexOf("--repo") + 1]).toBe("s3:https://s3.example.org:9000/backups/files");
    expect(restic).toContain("s3.bucket-lookup=path");
    expect(restic_environment).toEqual([`AWS_SHARED_CREDENTIALS_FILE=${SECRETS}/aws`, "AWS_DEFAULT_REGION=us-east-1"]);
  });
});

describe("secrets", () => {
  const KEY = "KEY\n";
  const filesOf = (name: string, key?: string) => {
    const { repository } = settingsSchema.parse(CASES[name]).backup as BackupSettings;
    return backupSecrets(debian.postgres, repository, { passphrase: "P", generated: true, key }).files ?? [];
  };

  test("are files with one reader each", () => {
    const shown = (name: string, key?: string) =>
      filesOf(name, key).map(({ path, mode, owner }) => [path.split("/").at(-1), mode, owner]);
    expect(shown(FOLDER)).toEqual([["passphrase", "0400", "root:root"]]);
    expect(shown(SFTP, KEY)).toEqual([
      ["passphrase", "0400", "root:root"],
      ["key", "0400", "postgres:postgres"],
    ]);
    expect(shown(S3, "K")).toEqual([
      ["passphrase", "0400", "root:root"],
      ["key", "0400", "postgres:postgres"],
      ["aws", "0400", "root:root"],
    ]);
    expect(filesOf(S3, "K").at(-1)?.content).toBe(
      "[default]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = K\n",
    );
  });

  test("are those of the program, except a passphrase that the host knows for the repository: it outlives the state", () => {
    const [passphrase, ...others] = filesOf(S3, "K");
    expect(passphrase).toMatchObject({ rotation: "generated", opens: "s3://s3.example.org:9000/backups/" });
    for (const { rotation, opens } of others) expect([rotation, opens]).toEqual([undefined, undefined]);
    expect(filesOf(FOLDER)[0]).toMatchObject({ opens: "/srv/backups" });
  });

  test("a configured passphrase takes precedence over one that the host knows", () => {
    const { repository } = settingsSchema.parse(CASES[FOLDER]).backup as BackupSettings;
    const [given] = backupSecrets(debian.postgres, repository, { passphrase: "P", generated: false }).files ?? [];
    expect(given).toMatchObject({ content: "P", rotation: undefined });
  });

  test("of the generation in use are kept while the release lives (H5)", () => {
    expect(manifestOf(SFTP).refers).toEqual([SECRETS]);
  });
});

describe("the repository", () => {
  test("on the host is accessible for PostgreSQL's user in its part, and listed by nobody", () => {
    expect(manifestOf(FOLDER).directories?.slice(0, 3)).toEqual([
      { path: "/srv/backups", mode: "0711", owner: "root:root" },
      { path: "/srv/backups/postgres", mode: "0750", owner: "postgres:postgres" },
      { path: "/srv/backups/files", mode: "0700", owner: "root:root" },
    ]);
  });

  test.each([SFTP, S3])("of case %s leaves no folder on the host, and the metrics need the exporter's own", (name) => {
    expect(manifestOf(name).directories).toEqual([]);
  });

  test("is prepared by an idempotent step, once PostgreSQL archives", () => {
    expect(manifestOf(FOLDER).steps).toEqual([{ name: "repositories", exec: ["gatehouse", "backup", "--prepare"] }]);
  });
});

describe("PostgreSQL", () => {
  test("archives every WAL segment, after a minute even if it is not full", () => {
    expect(file(FOLDER, ARCHIVE)).toBe(
      "archive_mode = on\narchive_command = 'pgbackrest --stanza=main archive-push %p'\narchive_timeout = 60\n",
    );
  });

  test("is restarted for that, after a scratch instance has started with the file (M18)", () => {
    const { files = [], checks = [] } = manifestOf(FOLDER);
    expect(files.find(({ path }) => path === ARCHIVE)?.restarts).toEqual(["postgresql@17-main.service"]);
    expect(files.flatMap(({ restarts = [] }) => restarts)).toEqual([
      "postgresql@17-main.service",
      "gatehouse-backup.timer",
      "gatehouse-drill.timer",
    ]);
    expect(checks[0]).toEqual(partsOfCase(FOLDER).postgres.checks?.[0]);
    // The scratch instance must not push its own WAL into the repository.
    expect(checks[0]?.exec).toContain("archive_mode=off");
  });
});

describe("fewer full backups than there are", () => {
  const keeps = (more: object) => {
    const wanted = { repository: { path: "/srv/backups" }, keep: 2, ...more };
    const view = { ...backupSchema.parse(wanted), generation: 1 };
    return backupManifest(debian.postgres, view).checks?.find(({ name }) => name === "no backup is lost");
  };

  test("are refused before anything changes", () => {
    expect(keeps({})).toMatchObject({
      exec: ["gatehouse", "backup", "--keeps", "2", "--in", "/srv/backups"],
      tree: "/etc/pgbackrest",
    });
  });

  test("are accepted if allowed explicitly", () => {
    expect(keeps({ allowDataLoss: true })).toBeUndefined();
  });
});

describe("the timers", () => {
  const unit = (name: string) => file(FOLDER, `/etc/systemd/system/${name}`);

  test.each([
    ["backup", "*-*-* 03:30:00"],
    ["drill", "Sun *-*-* 04:00:00"],
  ])("start the %s at %s, not on all hosts at once, and repeat missed runs", (verb, schedule) => {
    expect(section(unit(`gatehouse-${verb}.timer`), "Timer")).toEqual([
      `OnCalendar=${schedule}`,
      "RandomizedDelaySec=30min",
      "Persistent=true",
    ]);
    expect(manifestOf(FOLDER).units).toContainEqual({ name: `gatehouse-${verb}.timer`, enabled: true });
    const service = unit(`gatehouse-${verb}.service`);
    expect(values(service, "ExecStart")).toEqual([`/usr/local/bin/gatehouse ${verb}`]);
    // It shows the agent that it already runs in a unit.
    expect(values(service, "Environment")).toEqual(["GATEHOUSE_UNIT=1"]);
    // A long job that neither the apply nor logins wait for.
    expect(section(service, "Service")).toEqual(
      expect.arrayContaining(["Type=oneshot", "Nice=10", "CPUWeight=20", "IOWeight=20"]),
    );
  });

  test("are checked by systemd before they go live", () => {
    const judged = manifestOf(FOLDER).checks?.filter(({ exec }) => exec[0] === "systemd-analyze");
    expect(judged?.map(({ exec }) => exec.at(-1))).toEqual(["*-*-* 03:30:00", "Sun *-*-* 04:00:00"]);
  });
});

test("each of the platform's folders with data has a name, unique within its release", () => {
  const { authentik, caddy, valkey } = partsOfCase(FOLDER);
  const named = ({ data = [] }: typeof caddy) => data.map((one) => [one.name, "path" in one ? one.path : undefined]);
  expect(named(authentik)).toEqual([
    ["data", "/var/lib/authentik/data"],
    ["certs", "/var/lib/authentik/certs"],
    ["templates", "/var/lib/authentik/templates"],
    ["database", undefined],
  ]);
  expect(named(partsOfCase("old-authentik-with-valkey").authentik)[0]).toEqual(["data", "/var/lib/authentik/data"]);
  expect(named(caddy)).toEqual([["certificates", "/var/lib/caddy"]]);
  expect(named(valkey)).toEqual([["snapshot", "/var/lib/valkey"]]);
});
