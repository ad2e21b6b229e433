import type { Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { rendered } from "../render/render.ts";
import type { Site } from "../site/site.ts";
import { configOf, filesOf, folderOf, servedOf } from "./names.ts";
import type { AppSettings } from "./schema.ts";

/** The app's site for Caddy: a published port, or the socket of the file server. */
export const siteOf = (app: string, { domain, port, files, directives }: NonNullable<AppSettings["site"]>): Site =>
  files === undefined
    ? { domain, directives, backend: `127.0.0.1:${port}` }
    : { domain, directives, files: servedOf(app), backend: `unix/${filesOf(app).socket}` };

/**
 * Mounts the directory at a separate place, where symlinks are not followed, and serves it from there with a process of
 * the app, to which Caddy connects. While it is not mounted, that place is empty.
 */
export function servedManifest({ user, data }: Distribution["caddy"], app: string, folder: string) {
  const place = servedOf(app);
  const path = folderOf(app, folder);
  const { unit, runtime, socket } = filesOf(app);
  const config = `${configOf(app)}/files.caddy`;
  const same = `[ ${path} -ef ${place} ]`;
  // The name of a mount unit is its mount point, escaped as by systemd-escape(1).
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
    // Remounts a directory that was deleted and created again.
    steps: [{ name: `${place} is ${path}`, exec: ["sh", "-c", `${same} || systemctl restart '${mount}'`] }],
    probes: [
      { name: `Caddy finds ${path}`, exec: ["sh", "-c", same] },
      { name: `files of ${app} are served`, socket },
    ],
  } satisfies Manifest;
}
