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

/** Writes a database into a file from which pg_restore makes it again. */
export const pgDump = ({ bin, socketDirectory }: Platform["postgres"], database: string, file: string): string[] => [
  `${bin}/pg_dump`,
  `--host=${socketDirectory}`,
  "--format=custom",
  `--file=${file}`,
  database,
];
