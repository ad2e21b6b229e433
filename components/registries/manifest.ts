import type { Manifest } from "../../protocol/manifest.ts";
import { secretsFolder } from "../../protocol/secrets.ts";
import { rendered } from "../render/render.ts";
import type { Logins } from "./schema.ts";

/** The logins, one file for each registry, in the format in which a credential helper answers Podman. */
export const loginsManifest = (release: string, logins: Logins): Manifest => ({
  files: Object.entries(logins).map(([registry, { username, password }]) => ({
    path: `${secretsFolder(release, "{generation}")}/${registry}`,
    mode: "0400",
    owner: "root:root",
    content: JSON.stringify({ ServerURL: registry, Username: username, Secret: password.replace(/\n$/, "") }),
  })),
});

/**
 * The credential helper that Podman runs for each pull: in an `up`, at boot or by hand. Writing to Podman's own files
 * instead would overwrite an operator's logins.
 */
export const helperManifest = (logins: string): Manifest => ({
  files: [
    rendered(
      "/usr/local/bin/docker-credential-gatehouse",
      "root:root",
      "0755",
      "usr/local/bin/docker-credential-gatehouse",
      { logins },
    ),
    rendered(
      "/etc/containers/registries.conf.d/gatehouse.conf",
      "root:root",
      "0644",
      "etc/containers/registries.conf.d/gatehouse.conf",
      {},
    ),
  ],
  refers: [logins],
});
