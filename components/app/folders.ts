import type { Directory } from "../../protocol/manifest.ts";
import { folderOf, HOMES, homeOf } from "./names.ts";
import type { AppSettings } from "./schema.ts";

/** The way to all of them: who does not know the name of one learns nothing. */
export const HOMES_FOLDER: Directory = { path: HOMES, mode: "0711", owner: "root:root" };

/** The folders that an app's containers have among their volumes. */
const volumesOf = (containers: AppSettings["containers"]) =>
  Object.values(containers).flatMap(({ volumes }) => Object.values(volumes));

/**
 * An app's folders, for its account alone but for the one that Caddy serves. The home is root's: whoever could rename a
 * folder in it could put a link in its place, and root would follow that when it mounts one.
 */
export function folders(app: string, containers: AppSettings["containers"], served: string | undefined): Directory[] {
  const owner = `${app}:${app}`;
  return [
    HOMES_FOLDER,
    { path: homeOf(app), mode: "0750", owner: `root:${app}` },
    ...[...new Set([...volumesOf(containers), ...(served === undefined ? [] : [served])])].map((folder) => ({
      path: folderOf(app, folder),
      mode: folder === served ? "0755" : "0750",
      owner,
    })),
  ];
}
