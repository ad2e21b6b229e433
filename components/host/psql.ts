import type { Platform } from "./platforms/platform.ts";

/**
 * What every session has, whatever is set for its role or its database. A lock that another session holds for ever is no
 * reason to wait for ever.
 */
const SETTINGS = {
  search_path: "pg_catalog,pg_temp",
  standard_conforming_strings: "on",
  default_transaction_read_only: "off",
  lock_timeout: "10s",
  statement_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
};
const OPTIONS = Object.entries(SETTINGS)
  .map(([name, value]) => `-c${name}=${value}`)
  .join(" ");

/** psql over the socket, quiet, without a user's settings, ending at the first error; what it runs comes behind. */
export const psql = ({ bin, socketDirectory }: Platform["postgres"], ...rest: string[]): string[] => [
  "env",
  `PGOPTIONS=${OPTIONS}`,
  `${bin}/psql`,
  "--no-psqlrc",
  "--quiet",
  "--set=ON_ERROR_STOP=1",
  `--host=${socketDirectory}`,
  "--dbname=postgres",
  ...rest,
];

/** A name in SQL. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A text in SQL. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * What the owner of a database may set for it, as the server itself has it: pg_dump is the superuser's. The agent's
 * cluster.py asks the same.
 */
const AS_THE_SERVER = `SELECT '-crole=none -csession_authorization=' || session_user || ' ' || string_agg('-c' || name || '='
  || regexp_replace(reset_val, '([[:space:]\\\\])', '\\\\\\1', 'g'), ' ') FROM pg_settings
  WHERE context IN ('user', 'backend') AND name !~ '^(transaction_(isolation|read_only|deferrable)|client_encoding|application_name)$'`;

/** Dumps those of the databases that are there into a folder, each as a file from which pg_restore makes it again. */
export const pgDumps = (names: Platform["postgres"], databases: readonly string[], folder: string): string[] => {
  const ask = psql(names, "--tuples-only", "--no-align", `--set=database=$database`, "--file=-")
    .map((word) => `"${word}"`)
    .join(" ");
  const script = `settings=$(cat <<'SQL'
${AS_THE_SERVER}
SQL
)
  for database in "$@"; do
    there=$(printf '%s' "SELECT 1 FROM pg_database WHERE datname = :'database'" | ${ask})
    [ -n "$there" ] || continue
    printf '%s' 'ALTER DATABASE :"database" ALLOW_CONNECTIONS true' | ${ask}
    options=$(printf '%s' "$settings" | ${ask})
    PGOPTIONS="$options" ${names.bin}/pg_dump --host=${names.socketDirectory} --format=custom --file="${folder}/$database.pgdump" "$database"
  done`;
  return ["sh", "-ec", script, "sh", ...databases];
};
