import type { Directory } from "../../protocol/manifest.ts";
import type { HostVolume } from "./container.ts";
import { folderOf, HOMES, homeOf } from "./names.ts";
import type { AppSettings } from "./schema.ts";

/** Parent directory of all apps. It can be traversed but not listed. */
export const HOMES_FOLDER: Directory = { path: HOMES, mode: "0711", owner: "root:root" };

const volumesOf = (containers: AppSettings["containers"]) =>
  Object.values(containers).flatMap(({ volumes }) => Object.values(volumes));

/** The directories that an app's containers use as volumes. */
const ownVolumes = (containers: AppSettings["containers"]) =>
  volumesOf(containers).filter((volume) => typeof volume === "string");

/** The directories and files of the operator that an app's containers use, each once and with all that is asked of it. */
export function hostVolumes(containers: AppSettings["containers"]): HostVolume[] {
  const found = new Map<string, HostVolume>();
  for (const volume of volumesOf(containers)) {
    if (typeof volume === "string") continue;
    const { host, readOnly, backup } = volume;
    const other = found.get(host);
    found.set(host, {
      host,
      readOnly: readOnly && (other?.readOnly ?? true),
      backup: backup || (other?.backup ?? false),
    });
  }
  return [...found.values()];
}

/**
 * An app's directories. Only its account can read them, except for the one that Caddy serves. The home directory is
 * owned by root: an account that could rename a directory in it could replace the directory with a symlink, which root
 * would follow when it mounts the directory.
 */
export function folders(app: string, containers: AppSettings["containers"], served: string | undefined): Directory[] {
  const owner = `${app}:${app}`;
  return [
    HOMES_FOLDER,
    { path: homeOf(app), mode: "0750", owner: `root:${app}` },
    ...[...new Set([...ownVolumes(containers), ...(served === undefined ? [] : [served])])].map((folder) => ({
      path: folderOf(app, folder),
      mode: folder === served ? "0755" : "0750",
      owner,
    })),
  ];
}
