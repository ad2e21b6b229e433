import { dirname } from "node:path";
import { toml } from "../../protocol/document.ts";
import type { File, Manifest } from "../../protocol/manifest.ts";
import { secretPlace, secretsFolder } from "../../protocol/secrets.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { psql } from "../postgres-client/psql.ts";
import { scratchInstance } from "../postgres-client/scratch.ts";
import { rendered } from "../render/render.ts";
import type { BackupSettings, Repository } from "./schema.ts";

type Names = Distribution["postgres"];
type Server = NonNullable<Repository["sftp"]>;

/** The release with the secrets. */
export const SECRETS = "backup-secrets";

/** pgBackRest's name for the cluster. */
const STANZA = "main";
const KNOWN_HOSTS = "/etc/gatehouse/backup.known_hosts";
const UNITS = "/etc/systemd/system";

/** Directory to which PostgreSQL archives as its own user, if it is on the host. */
export const clusterFolder = ({ path }: Repository): string | undefined => path && `${path}/postgres`;

/** The place of a repository in readable form. */
export function placeOf({ path, sftp, s3 }: Repository): string {
  if (sftp) return `${serverOf(sftp)}${sftp.path}`;
  if (s3) return `s3://${s3.endpoint}/${s3.bucket}${s3.path}`;
  return path as string;
}

/** The passphrase that encrypts the backups, and the key to the repository. */
export interface BackupSecrets {
  passphrase: string;
  /** The passphrase is generated, and is replaced by one that opened the repository on this host before. */
  generated: boolean;
  /** @default - the repository needs none */
  key?: string;
}

/**
 * The secrets as files. The passphrase survives the loss of the state: if the host has the passphrase of the
 * repository, it remains in use, and `recovery` contains it.
 */
export function backupSecrets(names: Names, repository: Repository, secrets: BackupSecrets): Manifest {
  const { passphrase, generated, key } = secrets;
  const { s3 } = repository;
  const secret = (name: string, owner: string, content: string): File => ({
    path: `${secretsFolder(SECRETS, "{generation}")}/${name}`,
    mode: "0400",
    owner: `${owner}:${owner}`,
    content,
  });
  return {
    files: [
      {
        ...secret("passphrase", "root", passphrase),
        rotation: generated ? "generated" : undefined,
        opens: placeOf(repository),
      },
      ...(key === undefined ? [] : [secret("key", names.user, key)]),
      // In the credentials format of the AWS SDKs, which restic reads.
      ...(s3 && key !== undefined
        ? [secret("aws", "root", `[default]\naws_access_key_id = ${s3.keyId}\naws_secret_access_key = ${key}\n`)]
        : []),
    ],
  };
}

export interface BackupView extends BackupSettings {
  /** Version of the secrets; a placeholder in a preview. */
  generation: number | string;
}

/** The manifest of backups: of PostgreSQL with pgBackRest, and of directories with restic. The agent runs both. */
export function backupManifest(names: Names, view: BackupView): Manifest {
  const { unit, user, config } = names;
  const { repository, generation } = view;
  const secrets = secretsFolder(SECRETS, generation);
  // A repository has one passphrase: that of this generation.
  const [keySecret, passphrase] = ["key", "passphrase"].map((file) => `${SECRETS}/${generation}/${file}`) as [
    string,
    string,
  ];
  const timers = ["gatehouse-backup.timer", "gatehouse-drill.timer"];
  // A drill restores beside the data directory. The parent may be a symlink that an operator created.
  const writable = [dirname(names.data), ...(repository.path === undefined ? [] : [repository.path])];
  return {
    deadline: 120,
    directories: directories(names, repository),
    files: [
      { path: "/etc/gatehouse/backup.toml", mode: "0644", owner: "root:root", content: agentSettings(names, view) },
      {
        ...rendered("/etc/pgbackrest/pgbackrest.conf", `root:${user}`, "0640", "etc/pgbackrest/pgbackrest.conf", {
          ...postgresRepository(repository),
          keep: view.keep,
          keySecret: secretPlace(keySecret),
          passphrase: secretPlace(passphrase),
          key: `${secrets}/key`,
          knownHosts: KNOWN_HOSTS,
          stanza: STANZA,
          data: names.data,
          socketDirectory: names.socketDirectory,
          user,
        }),
        secrets: [...(repository.s3 ? [keySecret] : []), passphrase],
      },
      ...(repository.sftp
        ? [
            rendered(KNOWN_HOSTS, "root:root", "0644", "etc/gatehouse/backup.known_hosts", {
              host: knownAs(repository.sftp),
              hostKey: repository.sftp.hostKey,
            }),
          ]
        : []),
      {
        ...rendered(
          `${config}/conf.d/gatehouse-archive.conf`,
          `root:${user}`,
          "0640",
          "etc/postgresql/conf.d/gatehouse-archive.conf",
          { stanza: STANZA },
        ),
        restarts: [unit],
      },
      rendered("/etc/tmpfiles.d/gatehouse-backup.conf", "root:root", "0644", "etc/tmpfiles.d/gatehouse-backup.conf", {
        user,
      }),
      ...scheduled("gatehouse-backup", "Back up PostgreSQL and the folders", "backup", view.schedule, writable),
      ...scheduled(
        "gatehouse-drill",
        "Restore the newest backup beside the services and verify it",
        "drill",
        view.drill,
        writable,
      ),
    ],
    refers: [secrets],
    checks: [
      scratchInstance(names),
      ...(view.allowDataLoss
        ? []
        : [
            {
              name: "no backup is lost",
              tree: "/etc/pgbackrest",
              exec: ["gatehouse", "backup", "--keeps", String(view.keep), "--in", placeOf(repository)],
            },
          ]),
      ...[view.schedule, view.drill].map((schedule) => ({
        name: `schedule ${schedule}`,
        tree: UNITS,
        exec: ["systemd-analyze", "calendar", "--", schedule],
      })),
    ],
    units: timers.map((name) => ({ name, enabled: true })),
    // Creates missing repositories, and waits until a WAL segment has been archived.
    steps: [{ name: "repositories", exec: ["gatehouse", "backup", "--prepare"] }],
    probes: [
      {
        // No unit would report that the restart did not happen.
        name: "PostgreSQL archives",
        user,
        exec: psql(
          names,
          "--command",
          "DO $$ BEGIN ASSERT current_setting('archive_mode') = 'on', 'archive_mode is off'; END $$",
        ),
      },
    ],
  };
}

/** Directories of a repository on the host. PostgreSQL archives as its own user, which owns its part. */
function directories({ user }: Names, { path }: Repository) {
  if (path === undefined) return [];
  return [
    { path, mode: "0711", owner: "root:root" },
    { path: clusterFolder({ path }) as string, mode: "0750", owner: `${user}:${user}` },
    { path: `${path}/files`, mode: "0700", owner: "root:root" },
  ];
}

/** A timer and its service. */
function scheduled(
  name: string,
  description: string,
  verb: string,
  schedule: string,
  writable: readonly string[],
): File[] {
  const file = (kind: string, view: object) =>
    rendered(`${UNITS}/${name}.${kind}`, "root:root", "0644", `etc/systemd/system/gatehouse-backup.${kind}`, view);
  return [
    file("service", { description, verb, writable }),
    { ...file("timer", { service: `${name}.service`, schedule }), restarts: [`${name}.timer`] },
  ];
}

/** Settings for the agent. */
function agentSettings(names: Names, { repository, full, generation }: BackupView): string {
  const { bin, config, data, user, unit, socketDirectory } = names;
  const secrets = secretsFolder(SECRETS, generation);
  return `# Written by gatehouse.\n${toml({
    stanza: STANZA,
    repository: placeOf(repository),
    full_days: full,
    bin,
    config: `${config}/postgresql.conf`,
    data,
    user,
    unit,
    socket_directory: socketDirectory,
    restic: ["restic", ...resticOptions(repository, secrets), "--password-file", `${secrets}/passphrase`],
    restic_environment: resticEnvironment(repository, secrets),
  })}`;
}

/** Options with restic's repository. Only a remote repository needs a cache. */
function resticOptions({ path, sftp, s3 }: Repository, secrets: string): string[] {
  const far = ["--cache-dir", "/var/cache/gatehouse/restic"];
  // The first slash ends the server's name, the second begins the path.
  if (sftp)
    return [
      ...far,
      "--repo",
      `${serverOf(sftp)}/${below(sftp.path, "files")}`,
      "-o",
      `sftp.command=${ssh(sftp, secrets).join(" ")}`,
    ];
  if (s3)
    return [
      ...far,
      "--repo",
      `s3:https://${s3.endpoint}/${s3.bucket}${below(s3.path, "files")}`,
      "-o",
      "s3.bucket-lookup=path",
    ];
  return ["--no-cache", "--repo", `${path}/files`];
}

const resticEnvironment = ({ s3 }: Repository, secrets: string): string[] =>
  s3 ? [`AWS_SHARED_CREDENTIALS_FILE=${secrets}/aws`, `AWS_DEFAULT_REGION=${s3.region}`] : [];

/**
 * ssh with only this key and this server, regardless of the settings in /root/.ssh. It exits if the server does not
 * respond.
 */
function ssh({ address, port, user }: Server, secrets: string): string[] {
  const options = {
    UserKnownHostsFile: KNOWN_HOSTS,
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    IdentitiesOnly: "yes",
    BatchMode: "yes",
    ConnectTimeout: 30,
    ServerAliveInterval: 30,
  };
  return [
    "ssh",
    "-F",
    "none",
    "-i",
    `${secrets}/key`,
    ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]),
    "-p",
    String(port),
    `${user}@${address}`,
    "-s",
    "sftp",
  ];
}

/** The repository for pgBackRest: all kinds but one are empty. */
const postgresRepository = ({ path, sftp, s3 }: Repository) => ({
  path: below(sftp?.path ?? s3?.path ?? (path as string), "postgres"),
  sftp,
  s3,
});

const below = (path: string, name: string) => (path === "/" ? `/${name}` : `${path}/${name}`);

const serverOf = ({ address, port, user }: Server) =>
  `sftp://${user}@${address.includes(":") ? `[${address}]` : address}:${port}`;

/** The server's name in the format of known_hosts(5). */
const knownAs = ({ address, port }: Server) => (port === 22 ? address : `[${address}]:${port}`);
