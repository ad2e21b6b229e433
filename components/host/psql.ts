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
