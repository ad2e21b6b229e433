import type { Distribution } from "../distribution/distribution.ts";

/**
 * Settings for every session, which override those of the cluster, the role and the database: other values could end a
 * session or a statement, or change its meaning. `lock_timeout` limits the wait for a lock that is never released. Only
 * settings that any user may change, because a probe logs in as the application.
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
};
/** Do not wait for a standby that is unavailable. A cluster of several hosts loses what only one of them has. */
const ALONE = { synchronous_commit: "local" };
const options = (settings: Record<string, string>): string =>
  Object.entries(settings)
    .map(([name, value]) => `-c${name}=${value.replaceAll(" ", "\\ ")}`)
    .join(" ");

/**
 * psql over the socket: quiet, without the user's psqlrc, and exiting at the first error. The command follows in
 * `rest`.
 */
export const psql = (names: Distribution["postgres"], ...rest: string[]): string[] => [
  "env",
  `PGOPTIONS=${options(names.superuser ? SETTINGS : { ...SETTINGS, ...ALONE })}`,
  ...(names.superuser?.environment ?? []),
  ...bare(names, ...rest),
];

/** The same with the settings of the caller. */
export const client = (names: Distribution["postgres"], ...rest: string[]): string[] => [
  ...(names.superuser ? ["env", ...names.superuser.environment] : []),
  ...bare(names, ...rest),
];

const bare = ({ bin, socketDirectory, superuser }: Distribution["postgres"], ...rest: string[]): string[] => [
  `${bin}/psql`,
  "--no-psqlrc",
  "--quiet",
  "--set=ON_ERROR_STOP=1",
  `--host=${superuser?.host ?? socketDirectory}`,
  "--dbname=postgres",
  ...rest,
];

/**
 * Who runs these commands. Never root: a server that its superuser controls could answer with a command for psql's shell.
 */
export const superuserOf = ({ user, superuser }: Distribution["postgres"]) => ({
  user,
  ...(superuser && { group: superuser.group }),
});

/**
 * Runs statements that need databases without other sessions: copying or renaming a database waits five seconds for its
 * sessions to end. While the statements run, other sessions are terminated; PostgreSQL itself blocks new ones with a
 * lock, which is released when the statement ends.
 */
export const alone = (
  names: Distribution["postgres"],
  databases: readonly string[],
  statements: readonly string[],
): string[] => {
  const ending = `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IN (${databases.map(literal).join(", ")})`;
  const end = psql(names, "--command", "$ending").map((word) => `"${word}"`);
  // The loop ends when the shell that started it exits in any way: `$$` is the PID of that shell.
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

/** A quoted name in SQL. */
export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A string literal in SQL. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * Query for the server's values of all settings that the owner of a database may change, as `PGOPTIONS` for superuser
 * sessions in that database. The agent's backup/postgres.py uses the same query.
 */
export const AS_THE_SERVER = `SELECT '-crole=none -csession_authorization=' || session_user || ' ' || string_agg('-c' || name || '='
  || regexp_replace(reset_val, '([[:space:]\\\\])', '\\\\\\1', 'g'), ' ') FROM pg_settings
  WHERE context IN ('user', 'backend') AND name !~ '^(transaction_(isolation|read_only|deferrable)|client_encoding|application_name)$'`;

/** Dumps those of the databases that exist into a directory, one file each for pg_restore. */
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
    PGOPTIONS="$options" ${[...(names.superuser ? ["env", ...names.superuser.environment] : []), `${names.bin}/pg_dump`].join(" ")} --host=${names.superuser?.host ?? names.socketDirectory} --format=custom --file="${folder}/$database.pgdump" "$database"
  done`;
  return ["sh", "-ec", script, "sh", ...databases];
};
