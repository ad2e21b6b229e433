import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { dirname } from "node:path";
import type { Check, File, Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { connectionLimit } from "../postgres-client/database.ts";
import { literal, psql, superuserOf } from "../postgres-client/psql.ts";
import { scratchInstance } from "../postgres-client/scratch.ts";
import { render, rendered } from "../render/render.ts";
import { INITDB_OPTIONS, onlyCluster, readsDefaults, theCluster } from "./cluster.ts";
import { ownersStep } from "./owners.ts";
import { allWritable, repositoryDropIn, sandbox } from "./sandbox.ts";
import type { PostgresSettings } from "./schema.ts";
import { needsRestart } from "./settings.ts";

type Names = Distribution["postgres"];
type Options = Pick<PostgresSettings, "settings" | "databases" | "roles" | "writable">;

/** The role that owns a database. */
const ownerOf = (database: string, { owner }: PostgresSettings["databases"][string]) => owner ?? database;

/** Every role: those listed, and the owners and clients of databases. */
export const rolesOf = ({ databases, roles }: Pick<Options, "databases" | "roles">): string[] => [
  ...new Set([
    ...Object.entries(databases).flatMap(([name, database]) => [ownerOf(name, database), ...database.clients]),
    ...Object.keys(roles),
  ]),
];

/**
 * Settings for the package's first cluster, which must exist before the package is installed: checksums cannot be
 * enabled later without downtime. Includes a hook for upgrades. Undefined if the package creates no cluster.
 */
export function clusterManifest(names: Names): Manifest | undefined {
  const { cluster, data } = names;
  if (cluster.by === "patroni")
    return {
      files: [rendered(cluster.defaults, "root:root", "0644", "etc/postgresql-common/createcluster.d/member.conf", {})],
    };
  if (cluster.by !== "package") return undefined;
  return {
    files: [
      // Contains the name of the cluster so that it changes with the major version: a check runs only if a file in its
      // tree changes.
      rendered(cluster.defaults, "root:root", "0644", "etc/postgresql-common/createcluster.d/gatehouse.conf", {
        data,
        options: INITDB_OPTIONS,
      }),
      upgradeHook(),
    ],
    // After an upgrade of the distribution, the package of another major version would create an empty cluster beside
    // the one with the data, and all services would start on it. Fails before that package is installed.
    checks: [onlyCluster(names), readsDefaults(names, cluster.defaults)].map((check) => ({
      ...check,
      tree: dirname(cluster.defaults),
    })),
  };
}

/**
 * pg_upgradecluster copies pg_hba.conf, but not the directory that it includes. Without it the new cluster does not
 * start.
 */
const upgradeHook = (): File => {
  const path = "etc/postgresql-common/pg_upgradecluster.d/gatehouse";
  return rendered(`/${path}`, "root:root", "0755", path, {});
};

/** The manifest of PostgreSQL. `repository` is the directory of the backup repository, if it is on the host. */
export function postgresManifest(names: Names, clientsGroup: string, options: Options, repository?: string): Manifest {
  const server = serverManifest(names, clientsGroup, options, repository);
  const databases = databasesManifest(names, options);
  return { ...databases, ...server, steps: [...(databases.steps ?? []), ...(server.steps ?? [])] };
}

/** The roles and databases, of which a cluster has one set for all its hosts. */
export function databasesManifest(names: Names, options: Options): Manifest {
  const databases = databasesOf(options);
  return {
    leaves: [...databases.map(({ name }) => `database ${name}`), ...rolesOf(options).map((name) => `role ${name}`)],
    steps: [
      {
        name: "roles and databases",
        ...superuserOf(names),
        exec: psql(names, "--file", "-"),
        stdin: render("sql/roles.sql", {
          roles: rolesOf(options).map((name) => ({
            name,
            connections: connectionLimit(options.roles[name]?.connections),
          })),
          databases,
        }),
      },
      ...(databases.length > 0 ? [ownersStep(names, databases)] : []),
    ],
  };
}

const databasesOf = (options: Options) =>
  Object.entries(options.databases).map(([name, database]) => ({
    name,
    owner: ownerOf(name, database),
    clients: database.clients,
  }));

/** The server itself, with the lines by which roles log in. */
export function serverManifest(names: Names, clientsGroup: string, options: Options, repository?: string): Manifest {
  const { unit, user, config, data, cluster } = names;
  // Owned by root and readable for the server, which does not need to change its own configuration.
  const owner = `root:${user}`;
  const settings = Object.entries(options.settings).sort(([a], [b]) => (a < b ? -1 : 1));
  const socket = { socketDirectory: names.socketDirectory };
  const method = (role: string) => (options.roles[role]?.auth === "scram" ? "scram-sha-256" : "peer");
  const logins = databasesOf(options).flatMap(({ name, owner, clients }) =>
    [...new Set([owner, ...clients])].map((role) => ({ database: name, role, method: method(role) })),
  );
  const hosts = cluster.by === "patroni" ? cluster.hosts : [];
  return {
    holdings: [
      { name: "PostgreSQL's data", unit, user, exec: psql(names, "--tuples-only", "--no-align", "--command", HELD) },
    ],
    directories: [
      ...wayTo(config).map((path) => ({ path, mode: "0755", owner: "root:root" })),
      { path: `${config}/conf.d`, mode: "0750", owner },
      // For the pg_hba.conf lines of other stacks.
      { path: `${config}/hba.d`, mode: "0750", owner },
    ],
    files: [
      {
        ...rendered(
          `${config}/conf.d/gatehouse-restart.conf`,
          owner,
          "0640",
          "etc/postgresql/conf.d/gatehouse-restart.conf",
          {
            ...socket,
            ident: `${config}/gatehouse_ident.conf`,
            settings: settings.filter(([name]) => needsRestart(name)),
          },
        ),
        restarts: [unit],
      },
      {
        ...rendered(
          `${config}/conf.d/gatehouse-reload.conf`,
          owner,
          "0640",
          "etc/postgresql/conf.d/gatehouse-reload.conf",
          {
            settings: settings.filter(([name]) => !needsRestart(name)),
          },
        ),
        reloads: [unit],
      },
      {
        ...rendered(`${config}/pg_hba.conf`, owner, "0640", "etc/postgresql/pg_hba.conf", {
          user,
          logins,
          // Clients on a member come through its door.
          local: hosts.length > 0 ? [] : logins,
          hosts,
        }),
        reloads: [unit],
      },
      {
        // Includes the operator's own file, which is kept.
        ...rendered(`${config}/gatehouse_ident.conf`, owner, "0640", "etc/postgresql/gatehouse_ident.conf", {
          user,
          others: cluster.by === "initdb" ? `${data}/pg_ident.conf` : `${config}/pg_ident.conf`,
          hosts,
          roles: [user, "gatehouse_replication", "gatehouse_rewind", ...rolesOf(options)],
        }),
        reloads: [unit],
      },
      {
        ...rendered(names.tmpfiles, "root:root", "0644", "etc/tmpfiles.d/postgresql.conf", {
          ...socket,
          mode: cluster.by === "patroni" ? "0700" : ":3750",
          user,
          group: clientsGroup,
          log: names.log ?? "",
        }),
        restarts: [unit],
      },
      ...mainFiles(names),
      ...sandbox(names, clientsGroup, options),
      ...(repository === undefined ? [] : [repositoryDropIn(names, repository)]),
    ],
    preparations: theCluster(names),
    checks: [
      ...(cluster.by === "initdb" ? [sameMajor(names)] : []),
      scratchInstance(names),
      allWritable(names, options),
    ],
    // The package's tools start their clusters at boot.
    units: [{ name: unit, enabled: cluster.by === "package" ? undefined : true }],
    steps: [
      // The package creates these files for the server's account, and its tools read some of them as root.
      {
        name: "the rest of the configuration belongs to root",
        exec: [
          "find",
          config,
          // Includes files of the backup: its release would otherwise restart the server again to change their owner.
          `${config}/conf.d`,
          "-maxdepth",
          "1",
          "-type",
          "f",
          "-perm",
          "-g=r",
          "!",
          "-user",
          "root",
          "-exec",
          "chown",
          "-h",
          "root",
          "{}",
          "+",
        ],
      },
    ],
    // On Debian, the start of the unit proves nothing, because it ignores the exit status of pg_ctlcluster.
    probes: [{ name: "PostgreSQL answers on its socket", user, exec: psql(names, "--command", "SELECT 1") }],
  };
}

/**
 * Shows whether the server still reads the same data: the WAL position only grows, whatever was written or deleted
 * meanwhile. Another cluster has another identifier, and an older copy has a smaller position.
 */
const HELD =
  `SELECT pg_wal_lsn_diff(lsn, '0/0') || ' bytes of WAL of cluster ' || system_identifier FROM pg_control_system(), LATERAL
 (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END) position (lsn)`.replace(
    /\s+/g,
    " ",
  );

/** The directories below /etc down to the configuration: an owner of one of them could replace its contents. */
const wayTo = (config: string): string[] => {
  const names = config.split("/").slice(2);
  return names.map((_, index) => `/etc/${names.slice(0, index + 1).join("/")}`);
};

/**
 * Main file of a cluster that the package did not create, in a separate directory, so that it can be copied and checked
 * regardless of the size of the data.
 */
function mainFiles({ unit, user, config, data, cluster }: Names): File[] {
  if (cluster.by === "package") return [];
  const main = (template: string, view: object) => ({
    ...rendered(`${config}/postgresql.conf`, `root:${user}`, "0640", template, { config, data, ...view }),
    restarts: [unit],
  });
  if (cluster.by === "initdb") return [main("etc/postgresql/postgresql.conf", {})];
  return [
    main("etc/postgresql/member.conf", cluster.proof),
    // The package's own unit does not start the cluster at boot.
    rendered(`${config}/start.conf`, `root:${user}`, "0644", "etc/postgresql/start.conf", {}),
  ];
}

/**
 * For distributions that may change the major version in any upgrade: the running server still reads its data, but the
 * installed one cannot. Fails before anything is stopped.
 */
const sameMajor = ({ user, bin, config, data }: Names): Check => ({
  name: "the data match the installed PostgreSQL",
  tree: config,
  user,
  exec: ["sh", "-eu", "-c", SAME_MAJOR, "sh", data, bin],
});

const SAME_MAJOR = `made=$(cat "$1/PG_VERSION") installed=$("$2/postgres" --version | sed 's/[^0-9]*\\([0-9]*\\).*/\\1/')
if [ "$made" = "$installed" ]; then exit 0; fi
echo "The data in $1 were created by PostgreSQL $made, which the installed PostgreSQL $installed cannot read." >&2
echo "Upgrade the data with pg_upgrade, or install PostgreSQL $made again; then run pulumi up." >&2
exit 1`;

/**
 * Passwords as SCRAM verifiers, the only secret manifest of PostgreSQL. It is due again if a role has no password, for
 * example in a recreated cluster.
 */
export const passwordsManifest = (names: Names, verifiers: Record<string, string>): Manifest => ({
  steps: [
    {
      name: "passwords",
      user: names.user,
      exec: psql(names, "--file", "-"),
      stdin: render("sql/passwords.sql", {
        roles: Object.entries(verifiers).map(([name, verifier]) => ({ name, verifier })),
      }),
    },
  ],
  probes: [
    {
      name: "every role that needs a password has one",
      user: names.user,
      exec: psql(
        names,
        "--command",
        `DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM pg_authid WHERE rolpassword IS NULL AND rolname IN (${Object.keys(verifiers).map(literal).join(", ")})), 'a role has no password'; END $$`,
      ),
    },
  ],
});

/**
 * The verifier that PostgreSQL stores for a password (RFC 5803), so that no SQL contains the password itself. The
 * caller keeps the salt: a new one each time would change the manifest in each preview.
 */
export function scramVerifier(password: string, salt: Buffer, iterations = 4096): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const hmac = (key: string) => createHmac("sha256", salted).update(key).digest();
  const stored = createHash("sha256").update(hmac("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${hmac("Server Key").toString("base64")}`;
}
