// What differs between versions of authentik.

/** A version such as 2026.8.3. */
export const VERSION = /^(20\d\d)\.(\d{1,2})\.(\d+)$/;

const series = (version: string): number => {
  const found = VERSION.exec(version);
  if (!found) throw new Error(`${version} is not a version of authentik such as 2026.8.3`);
  return Number(found[1]) * 100 + Number(found[2]);
};

/** As 2026.8 of 2026.8.3: what a major version is to authentik. */
export const seriesOf = (version: string): string => version.slice(0, version.lastIndexOf("."));

/** Those that are out, oldest first. */
const SERIES = ["2025.8", "2025.10", "2025.12", "2026.2", "2026.5", "2026.8"];

/** The series right before a version's, whose database it can migrate; one that is newer than all follows the newest. */
export const predecessors = (version: string): string[] =>
  SERIES.filter((other) => series(`${other}.0`) < series(version)).slice(-1);

/** Versions before 2025.8 keep tasks and sessions in Valkey as well, with settings of their own. */
export const isSupported = (version: string): boolean => series(version) >= 202508;

/** Up to 2025.8 cache and channels live in Valkey; from 2025.10 on everything lives in PostgreSQL. */
export const usesValkey = (version: string): boolean => series(version) <= 202508;

/** Uploads are /media up to 2025.10; from 2025.12 on they are a folder of /data, which has other files as well. */
export const hasData = (version: string): boolean => series(version) >= 202512;

/** A hash in the place of the first administrator's password is known from 2026.5 on. */
export const knowsPasswordHash = (version: string): boolean => series(version) >= 202605;

/** Known from 2026.8 on, demanded from 2026.11 on. */
export const knowsBaseUrl = (version: string): boolean => series(version) >= 202608;
