import type { Manifest } from "../host/manifest.ts";
import { rendered } from "../render/render.ts";
import type { Site } from "../site/site.ts";
import { folderOf } from "./names.ts";
import type { AppSettings } from "./schema.ts";

/** An app's site as Caddy is told: where the app answers, or the folder that its files are. */
export const siteOf = (app: string, { domain, port, files, directives }: NonNullable<AppSettings["site"]>): Site =>
  files === undefined
    ? { domain, directives, backend: `127.0.0.1:${port}` }
    : { domain, directives, files: folderOf(app, files) };

/** The served folder, mounted onto itself so that no link in it is followed. `restarts`: what has it among its volumes. */
export function servedManifest(app: string, served: string, restarts: readonly string[]) {
  const folder = folderOf(app, served);
  // As systemd-escape(1) has it: the unit of a mount is called after its place.
  const mount = `${folder.slice(1).replaceAll("-", "\\x2d").replaceAll("/", "-")}.mount`;
  return {
    files: [
      {
        ...rendered(`/etc/systemd/system/${mount}`, "root:root", "0644", "etc/systemd/system/app-files.mount", {
          app,
          folder,
        }),
        restarts: [mount, ...restarts],
      },
    ],
    units: [{ name: mount, enabled: true }],
  } satisfies Manifest;
}
