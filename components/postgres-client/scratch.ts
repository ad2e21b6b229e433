import type { Check } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";

/**
 * Starts a scratch instance with the new files, on its own socket. `postgres -C` would not read pg_hba.conf, and would
 * not detect values that only fail at startup, such as a missing library.
 */
export function scratchInstance({ user, bin, config, cluster }: Distribution["postgres"]): Check {
  const overrides = {
    data_directory: "{scratch}/data",
    hba_file: "{tree}/pg_hba.conf",
    ident_file: "{tree}/gatehouse_ident.conf",
    unix_socket_directories: "{scratch}",
    external_pid_file: "{scratch}/pid",
    listen_addresses: "",
    logging_collector: "off",
    archive_mode: "off",
    // The key of a member is readable only in its unit.
    ...(cluster.by === "patroni" && { ssl: "off" }),
    fsync: "off",
  };
  return {
    name: "a scratch PostgreSQL starts with the new files",
    tree: config,
    user,
    prepare: [
      `${bin}/initdb`,
      "--pgdata={scratch}/data",
      "--no-sync",
      "--no-instructions",
      "--auth=peer",
      "--encoding=UTF8",
      "--locale=C.UTF-8",
    ],
    exec: [
      `${bin}/postgres`,
      "--config-file={tree}/postgresql.conf",
      ...Object.entries(overrides).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    ready: [`${bin}/pg_isready`, "--quiet", "--host={scratch}"],
  };
}
