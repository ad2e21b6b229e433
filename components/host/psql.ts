import type { Platform } from "./platforms/platform.ts";

/** psql over the socket, quiet, without anybody's settings, ending at the first error; what it runs comes behind. */
export const psql = ({ bin, socketDirectory }: Platform["postgres"], ...rest: string[]): string[] => [
  `${bin}/psql`,
  "--no-psqlrc",
  "--quiet",
  "--set=ON_ERROR_STOP=1",
  `--host=${socketDirectory}`,
  "--dbname=postgres",
  ...rest,
];

/** Dumps those of the databases that are there into a folder, each as a file from which pg_restore makes it again. */
export const pgDumps = (names: Platform["postgres"], databases: readonly string[], folder: string): string[] => {
  const ask = psql(names, "--tuples-only", "--no-align", `--set=database=$database`, "--file=-");
  const script = `for database in "$@"; do
    there=$(printf '%s' "SELECT 1 FROM pg_database WHERE datname = :'database'" | ${ask.map((word) => `"${word}"`).join(" ")})
    [ -z "$there" ] || ${names.bin}/pg_dump --host=${names.socketDirectory} --format=custom --file="${folder}/$database.pgdump" "$database"
  done`;
  return ["sh", "-ec", script, "sh", ...databases];
};
