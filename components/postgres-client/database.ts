import type { Data, Guard } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { alone, literal, pgDumps, psql, quoted, superuserOf } from "./psql.ts";

/** Copies of a database that an image change leaves behind: the previous one, and that of a failed upgrade. */
const leftovers = (database: string): [string, string] => [`${database}_before_upgrade`, `${database}_failed_upgrade`];

/** Drops a database if it exists. Its owner may have made it a template, which cannot be dropped. */
const dropped = (database: string, how = ""): string[] => [
  `DO $$ BEGIN IF EXISTS (SELECT FROM pg_database WHERE datname = ${literal(database)}) THEN
    ALTER DATABASE ${quoted(database)} IS_TEMPLATE false; END IF; END $$`.replace(/\s+/g, " "),
  `DROP DATABASE IF EXISTS ${quoted(database)}${how}`,
];

/**
 * A new image may migrate its database at its first start, and an older image cannot use the result. Therefore the
 * database is copied while the units are stopped, and a rollback renames the copy, which is fast and atomic.
 */
export function databaseGuard(
  names: Distribution["postgres"],
  database: string,
  units: readonly string[],
  owner: string,
  images?: readonly string[],
): Guard {
  const [copy, failed] = leftovers(database);
  const sql = (...statements: string[]) => alone(names, [database, copy, failed], statements);
  return {
    name: `database ${database}`,
    units,
    ...superuserOf(names),
    save: unlessElsewhere(
      names,
      database,
      sql(
        ...dropped(failed),
        ...dropped(copy),
        `CREATE DATABASE ${quoted(copy)} TEMPLATE ${quoted(database)} OWNER ${quoted(owner)} STRATEGY file_copy`,
        `REVOKE ALL ON DATABASE ${quoted(copy)} FROM PUBLIC`,
      ),
    ),
    // A single transaction, and idempotent: an interrupted rollback runs again. The data from the failed upgrade is
    // also kept until the next upgrade.
    restore: sql(
      `DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_database WHERE datname = ${literal(copy)}) THEN
          ALTER DATABASE ${quoted(database)} RENAME TO ${quoted(failed)};
          ALTER DATABASE ${quoted(copy)} RENAME TO ${quoted(database)};
        ELSIF NOT EXISTS (SELECT FROM pg_database WHERE datname = ${literal(failed)}) THEN
          RAISE EXCEPTION 'database % does not exist', ${literal(copy)};
        END IF;
      END $$`.replace(/\s+/g, " "),
    ),
    images,
  };
}

/**
 * Saves only if no other host of a cluster uses the database: what it wrote during the upgrade would be lost in a rollback.
 */
function unlessElsewhere(names: Distribution["postgres"], database: string, save: string[]): string[] {
  if (!names.superuser) return save;
  const ask = psql(names, "--tuples-only", "--no-align").map((word) => `"${word}"`);
  const script = `others=$(${ask.join(" ")} --command "$1")
shift
if [ -z "$others" ]; then exec "$@"; fi
echo "The database is in use from other hosts, whose changes a rollback would lose:" $others >&2
echo "On each of them: systemctl stop authentik-pod. A minute later, run pulumi up again, which starts them." >&2
exit 1`;
  return ["sh", "-euc", script, "sh", elsewhere(database), ...save];
}

/** The other hosts with sessions in a database. */
const elsewhere = (database: string): string =>
  `SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE datname = ${literal(database)} AND client_addr <> inet_client_addr()`;

/** Connection limit of a role as an SQL expression: a client that leaks connections must leave some for others. */
export const connectionLimit = (asked?: number): string =>
  asked === undefined ? "(current_setting('max_connections')::int + 1) / 2" : String(asked);

/** A database and the role that owns it, as data of a release. Includes the copies from image changes. */
export function databaseData(names: Distribution["postgres"], database: string, role: string): Data {
  const all = [database, ...leftovers(database)];
  const drop = [
    ...all.flatMap((name) => dropped(name, " WITH (FORCE)")),
    // The role is kept if it owns a database under an earlier name, which has not been copied.
    `DO $$ BEGIN DROP ROLE IF EXISTS ${quoted(role)}; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $$`,
  ];
  return {
    name: "database",
    database,
    user: names.user,
    save: pgDumps(names, all, "{dump}"),
    drop: psql(names, ...drop.flatMap((statement) => ["--command", statement])),
  };
}
