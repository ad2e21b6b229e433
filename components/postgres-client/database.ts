import type { Data, Guard } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { alone, literal, pgDumps, psql, quoted } from "./psql.ts";

/** What an image change leaves behind of a database: as it was before, and as a failed one made it. */
const leftovers = (database: string): [string, string] => [`${database}_before_upgrade`, `${database}_failed_upgrade`];

/** Drops a database, if it is there. Its owner may have made it a template, which cannot be dropped. */
const dropped = (database: string, how = ""): string[] => [
  `DO $$ BEGIN IF EXISTS (SELECT FROM pg_database WHERE datname = ${literal(database)}) THEN
    ALTER DATABASE ${quoted(database)} IS_TEMPLATE false; END IF; END $$`.replace(/\s+/g, " "),
  `DROP DATABASE IF EXISTS ${quoted(database)}${how}`,
];

/**
 * A new image may migrate its database at the first start, and an older one does not understand the result. So a copy is
 * made while the units are stopped, and the way back takes it: a rename, which is quick and cannot half succeed.
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
    user: names.user,
    save: sql(
      ...dropped(failed),
      ...dropped(copy),
      `CREATE DATABASE ${quoted(copy)} TEMPLATE ${quoted(database)} OWNER ${quoted(owner)} STRATEGY file_copy`,
      `REVOKE ALL ON DATABASE ${quoted(copy)} FROM PUBLIC`,
    ),
    // One transaction, which finds out itself whether it was done: a way back that was cut is gone again. What the
    // failed upgrade made of the data is kept as well, until the next one.
    restore: sql(
      `DO $$ BEGIN
        IF EXISTS (SELECT FROM pg_database WHERE datname = ${literal(copy)}) THEN
          ALTER DATABASE ${quoted(database)} RENAME TO ${quoted(failed)};
          ALTER DATABASE ${quoted(copy)} RENAME TO ${quoted(database)};
        ELSIF NOT EXISTS (SELECT FROM pg_database WHERE datname = ${literal(failed)}) THEN
          RAISE EXCEPTION 'database % is not there', ${literal(copy)};
        END IF;
      END $$`.replace(/\s+/g, " "),
    ),
    images,
  };
}

/**
 * How many connections a role may hold, as an expression of SQL: a client that leaks its connections leaves some to the
 * others.
 */
export const connectionLimit = (asked?: number): string =>
  asked === undefined ? "(current_setting('max_connections')::int + 1) / 2" : String(asked);

/** A database and the role that owns it, as data of whoever uses them: with what image changes left of it. */
export function databaseData(names: Distribution["postgres"], database: string, role: string): Data {
  const all = [database, ...leftovers(database)];
  const drop = [
    ...all.flatMap((name) => dropped(name, " WITH (FORCE)")),
    // It stays with a database that it had under another name, of which there is no copy.
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
