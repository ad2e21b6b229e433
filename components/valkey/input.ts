// Generated from the schema by `npm run schema`.
import type { Input } from "@pulumi/pulumi";

/** Settings as they are given: what has a default may be left out. */
export interface ValkeyInput {
  /**
   * GID of the group valkey-clients. Without it, the host chooses one, and an existing group keeps its GID.
   * @example 2002
   */
  gid?: Input<number>;
  /**
   * Settings for valkey.conf. A change restarts Valkey and keeps all keys: appendonly is switched while the server
   * runs.
   * @default {}
   * @example {"maxmemory":"256mb"}
   */
  settings?: Input<Record<string, Input<string | number | boolean>>>;
  /**
   * Number of databases, including database 0.
   * @default 16
   */
  databaseCount?: Input<number>;
  /**
   * Increase it by one to give every user a new password.
   * @default 1
   */
  rotation?: Input<number>;
  /**
   * Database number of each application, from 1. Each application gets an ACL user with its name and a generated
   * password.
   * @default {}
   * @example {"grafana":2}
   */
  databases?: Record<string, Input<number>>;
}
