import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import type { Manifest } from "../host/manifest.ts";
import type { Platform } from "../host/platforms/platform.ts";
import { psql } from "../host/psql.ts";
import { scratchInstance } from "../host/scratch.ts";
import { render, rendered } from "../render/render.ts";
import type { PostgresSettings } from "./schema.ts";
import { needsRestart } from "./settings.ts";

type Names = Platform["postgres"];
type Wishes = Pick<PostgresSettings, "settings" | "databases" | "roles">;

/** The role that owns a database. */
const ownerOf = (database: string, { owner }: PostgresSettings["databases"][string]) => owner ?? database;

/** Every role: the ones listed, and the owners and clients of databases. */
export const rolesOf = ({ databases, roles }: Pick<Wishes, "databases" | "roles">): string[] => [
  ...new Set([
    ...Object.entries(databases).flatMap(([name, database]) => [ownerOf(name, database), ...database.clients]),
    ...Object.keys(roles),
  ]),
];

/** What the package reads when it makes the cluster; checksums cannot be switched on later without a stop. */
export const clusterDefaults = (names: Names): Manifest => ({
  files: [
    rendered(names.clusterDefaults, "root:root", "0644", "etc/postgresql-common/createcluster.d/gatehouse.conf", {}),
  ],
});

/** PostgreSQL as it should be on the host. */
export function postgresManifest(names: Names, clientsGroup: string, wishes: Wishes): Manifest {
  const { unit, user, config } = names;
  const owner = `${user}:${user}`;
  const settings = Object.entries(wishes.settings).sort(([a], [b]) => (a < b ? -1 : 1));
  const socket = { socketDirectory: names.socketDirectory };
  const databases = Object.entries(wishes.databases).map(([name, database]) => ({
    name,
    owner: ownerOf(name, database),
    clients: database.clients,
  }));
  const method = (role: string) => (wishes.roles[role]?.auth === "scram" ? "scram-sha-256" : "peer");
  const logins = databases.flatMap(({ name, owner, clients }) =>
    [...new Set([owner, ...clients])].map((role) => ({ database: name, role, method: method(role) })),
  );
  return {
    // Other stacks put their own lines there.
    directories: [{ path: `${config}/hba.d`, mode: "0750", owner }],
    files: [
      {
        ...rendered(
          `${config}/conf.d/gatehouse-restart.conf`,
          owner,
          "0640",
          "etc/postgresql/17/main/conf.d/gatehouse-restart.conf",
          {
            ...socket,
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
          "etc/postgresql/17/main/conf.d/gatehouse-reload.conf",
          {
            settings: settings.filter(([name]) => !needsRestart(name)),
          },
        ),
        reloads: [unit],
      },
      {
        ...rendered(`${config}/pg_hba.conf`, owner, "0640", "etc/postgresql/17/main/pg_hba.conf", { user, logins }),
        reloads: [unit],
      },
      {
        ...rendered(names.tmpfiles, "root:root", "0644", "etc/tmpfiles.d/postgresql-common.conf", {
          ...socket,
          user,
          group: clientsGroup,
        }),
        restarts: [unit],
      },
    ],
    checks: [scratchInstance(names)],
    units: [{ name: unit }],
    steps: [
      {
        name: "roles and databases",
        user,
        exec: psql(names, "--file", "-"),
        stdin: render("sql/roles.sql", { roles: rolesOf(wishes), databases }),
      },
    ],
    // The unit's start proves nothing on Debian, which ignores how pg_ctlcluster ends.
    probes: [{ name: "PostgreSQL answers on its socket", user, exec: psql(names, "--command", "SELECT 1") }],
  };
}

/** Passwords as SCRAM verifiers; the only manifest of PostgreSQL's that is secret. */
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
});

/**
 * The verifier that PostgreSQL stores for a password (RFC 5803), so that the password itself reaches no SQL.
 * The salt is kept by the caller: a new one each time would change the manifest at every preview.
 */
export function scramVerifier(password: string, salt: Buffer, iterations = 4096): string {
  const salted = pbkdf2Sync(password, salt, iterations, 32, "sha256");
  const hmac = (key: string) => createHmac("sha256", salted).update(key).digest();
  const stored = createHash("sha256").update(hmac("Client Key")).digest("base64");
  return `SCRAM-SHA-256$${iterations}:${salt.toString("base64")}$${stored}:${hmac("Server Key").toString("base64")}`;
}
