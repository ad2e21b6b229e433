import type { Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { rendered } from "../render/render.ts";
import type { Site } from "../site/site.ts";
import { configOf, filesOf, folderOf, servedOf } from "./names.ts";
import type { AppSettings } from "./schema.ts";

/** An app's site as Caddy is told: where the app answers, or where its files are. */
export const siteOf = (app: string, { domain, port, files, directives }: NonNullable<AppSettings["site"]>): Site =>
  files === undefined
    ? { domain, directives, backend: `127.0.0.1:${port}` }
    : { domain, directives, files: servedOf(app), backend: `unix/${filesOf(app).socket}` };

/**
 * The folder, mounted at a place of its own, where no link in it is followed, and who serves it from there: a process of
 * the app's own, which Caddy asks. There is nothing in that place while it is not mounted.
 */
export function servedManifest({ user, data }: Distribution["caddy"], app: string, folder: string) {
  const place = servedOf(app);
  const path = folderOf(app, folder);
  const { unit, runtime, socket } = filesOf(app);
  const config = `${configOf(app)}/files.caddy`;
  const same = `[ ${path} -ef ${place} ]`;
  // As systemd-escape(1) has it: the unit of a mount is called after its place.
  const mount = `${place.slice(1).replaceAll("-", "\\x2d").replaceAll("/", "-")}.mount`;
  return {
    files: [
      {
        ...rendered(`/etc/systemd/system/${mount}`, "root:root", "0644", "etc/systemd/system/app-files.mount", {
          app,
          folder: path,
          place,
        }),
        restarts: [mount],
      },
      {
        ...rendered(config, "root:root", "0644", "etc/apps/app/files.caddy", { place, socket }),
        restarts: [unit],
      },
      {
        ...rendered(`/etc/systemd/system/${unit}`, "root:root", "0644", "etc/systemd/system/app-files.service", {
          app,
          place,
          config,
          socket,
          group: user,
          data,
          runtime,
        }),
        restarts: [unit],
      },
    ],
    units: [
      { name: mount, enabled: true },
      { name: unit, enabled: true },
    ],
    // A folder that was deleted and made again is another one than what is mounted.
    steps: [{ name: `${place} is ${path}`, exec: ["sh", "-c", `${same} || systemctl restart '${mount}'`] }],
    probes: [
      { name: `Caddy finds ${path}`, exec: ["sh", "-c", same] },
      { name: `files of ${app} are served`, socket },
    ],
  } satisfies Manifest;
}
