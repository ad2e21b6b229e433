// Generated from the schema by `npm run schema`.
import type { Input } from "@pulumi/pulumi";

/** Settings as they are given: what has a default may be left out. */
export interface PostgresInput {
  /**
   * GID of the group postgres-clients. Without it, the host chooses one, and an existing group keeps its GID.
   * @example 2001
   */
  gid?: Input<number>;
  /**
   * Settings for postgresql.conf. A change is applied with a reload if possible, otherwise with a restart of
   * PostgreSQL.
   * @default {}
   * @example {"max_connections":200}
   */
  settings?: Input<Record<string, Input<string | number | boolean>>>;
  /**
   * Folders outside the data directory that PostgreSQL may write to, such as those of tablespaces. Without it, there
   * are none; the rest of the host is read-only for PostgreSQL.
   * @example ["/srv/tablespaces"]
   */
  writable?: Input<Input<string>[]>;
  /**
   * Databases that must exist, each with its owner. Removing a database from the list keeps its data.
   * @default {}
   * @example {"grafana":{}}
   */
  databases?: Input<
    Record<
      string,
      Input<{
        /**
         * Role that owns the database and may connect to it. Without it, the role with the name of the database. A new
         * owner gets everything that the old owner has in the database.
         * @example "grafana"
         */
        owner?: Input<string>;
        /**
         * Other roles that may connect to the database. The owner grants them their privileges in it.
         * @default []
         * @example ["reporting"]
         */
        clients?: Input<Input<string>[]>;
      }>
    >
  >;
  /**
   * How roles authenticate, and how many connections they may hold.
   * @default {}
   * @example {"reporting":{"auth":"scram"}}
   */
  roles?: Record<
    string,
    {
      /**
       * peer (the default): the operating-system account with the same name may log in, without a password. scram: the
       * role has a generated password; a client with require_auth=scram-sha-256 does not reveal it to a fake server.
       * @default "peer"
       * @example "scram"
       */
      auth?: "peer" | "scram";
      /**
       * Maximum number of concurrent connections of the role. Without it, half of max_connections, so that a client
       * that leaks connections leaves some for others.
       * @example 20
       */
      connections?: Input<number>;
    }
  >;
}
