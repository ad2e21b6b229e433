import type { Distribution } from "../distribution/distribution.ts";

/**
 * What every session has, whatever is set for the cluster, its role or its database: each of these ends a session or a
 * statement, or changes what it does. A lock that another session holds for ever is no reason to wait for ever. Only
 * what any user may set, since a probe logs in as the application.
 */
const SETTINGS = {
  role: "none",
  search_path: "pg_catalog,pg_temp",
  standard_conforming_strings: "on",
  quote_all_identifiers: "off",
  default_transaction_isolation: "read committed",
  default_transaction_read_only: "off",
  default_transaction_deferrable: "off",
  lock_timeout: "10s",
  statement_timeout: "0",
  transaction_timeout: "0",
  idle_in_transaction_session_timeout: "0",
  idle_session_timeout: "0",
  exit_on_error: "off",
  post_auth_delay: "0",
  // No standby that is away holds it up.
  synchronous_commit: "local",
};
const OPTIONS = Object.entries(SETTINGS)
  .map(([name, value]) => `-c${name}=${value.replaceAll(" ", "\\ ")}`)
  .join(" ");

/** psql over the socket, quiet, without a user's settings, ending at the first error; what it runs comes behind. */
export const psql = (names: Distribution["postgres"], ...rest: string[]): string[] => [
  "env",
  `PGOPTIONS=${OPTIONS}`,
  ...client(names, ...rest),
];

/** The same with the settings of whoever runs it. */
export const client = ({ bin, socketDirectory }: Distribution["postgres"], ...rest: string[]): string[] => [
  `${bin}/psql`,
  "--no-psqlrc",
  "--quiet",
  "--set=ON_ERROR_STOP=1",
  `--host=${socketDirectory}`,
  "--dbname=postgres",
  ...rest,
];

/**
 * Statements, one after the other, for which nobody may be in these databases: a copy or another name of a database
 * waits five seconds for its sessions to end. They are ended as long as the statements run; PostgreSQL itself keeps new
 * ones waiting, by a lock that is gone with the statement.
 */
export const alone = (
  names: Distribution["postgres"],
  databases: readonly string[],
  statements: readonly string[],
): string[] => {
  const ending = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IN (${databases.map(literal).join(", ")})`;
  const end = psql(names, "--command", "$ending").map((word) => `"${word}"`);
  // The loop ends with the shell that began it, however that ends: `$$` is the number of that one.
  const script = `ending=$1
shift
(while kill -0 $$ 2>/dev/null; do ${end.join(" ")} >/dev/null || :; sleep 0.3; done) &
trap 'kill $!' EXIT
"$@"`;
  return [
    "sh",
    "-euc",
    script,
    "sh",
    ending,
    ...psql(names, ...statements.flatMap((statement) => ["--command", statement])),
  ];
};

/** A name in SQL. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A text in SQL. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * What the owner of a database may set for it, as the server itself has it, for `PGOPTIONS` of the superuser's sessions in
 * there. The agent's backup/postgres.py asks the same.
 */
export const AS_THE_SERVER = `SELECT '-crole=none -csession_authorization=' || session_user || ' ' || string_agg('-c' || name || '='
  || regexp_replace(reset_val, '([[:space:]\\\\])', '\\\\\\1', 'g'), ' ') FROM pg_settings
  WHERE context IN ('user', 'backend') AND name !~ '^(transaction_(isolation|read_only|deferrable)|client_encoding|application_name)$'`;

/** Dumps those of the databases that are there into a folder, each as a file from which pg_restore makes it again. */
export const pgDumps = (names: Distribution["postgres"], databases: readonly string[], folder: string): string[] => {
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
