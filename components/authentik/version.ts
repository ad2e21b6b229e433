// Differences between versions of authentik.

/** A version such as 2026.8.3. No number begins with a 0: no image has such a tag. */
export const VERSION = /^(20\d\d)\.([1-9]|1[0-2])\.(0|[1-9]\d*)$/;

const series = (version: string): number => {
  const found = VERSION.exec(version);
  if (!found) throw new Error(`${version} is not a version of authentik such as 2026.8.3`);
  return Number(found[1]) * 100 + Number(found[2]);
};

/** The series of a version, such as 2026.8 for 2026.8.3. authentik treats it as the major version. */
export const seriesOf = (version: string): string => version.slice(0, version.lastIndexOf("."));

/** Released series, oldest first. */
const SERIES = ["2025.8", "2025.10", "2025.12", "2026.2", "2026.5", "2026.8"];

/**
 * The only series with a database that the version can migrate: the one right before its own. For a version newer than
 * all known series, the newest of them.
 */
export const predecessors = (version: string): string[] =>
  SERIES.filter((other) => series(`${other}.0`) < series(version)).slice(-1);

/** Versions before 2025.8 also keep tasks and sessions in Valkey, and have different settings. */
export const isSupported = (version: string): boolean => series(version) >= 202508;

/** Up to 2025.8, the cache and channels are in Valkey; from 2025.10 on, everything is in PostgreSQL. */
export const usesValkey = (version: string): boolean => series(version) <= 202508;

/** Up to 2025.10, uploads are in /media; from 2025.12 on, in a directory of /data, which also contains other files. */
export const hasData = (version: string): boolean => series(version) >= 202512;

/** From 2026.5 on, the first administrator's password can be given as a hash. */
export const knowsPasswordHash = (version: string): boolean => series(version) >= 202605;

/** Supported from 2026.8 on, required from 2026.11 on. */
export const knowsBaseUrl = (version: string): boolean => series(version) >= 202608;
