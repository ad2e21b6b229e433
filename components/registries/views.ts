import type { Manifest } from "../../protocol/manifest.ts";
import { secretsFolder } from "../../protocol/secrets.ts";
import { rendered } from "../render/render.ts";
import type { Logins } from "./schema.ts";

/** The logins, each a file of the registry's name, as Podman wants its answer. */
export const loginsManifest = (release: string, logins: Logins): Manifest => ({
  files: Object.entries(logins).map(([registry, { username, password }]) => ({
    path: `${secretsFolder(release, "{generation}")}/${registry}`,
    mode: "0400",
    owner: "root:root",
    content: JSON.stringify({ ServerURL: registry, Username: username, Secret: password.replace(/\n$/, "") }),
  })),
});

/**
 * The helper that Podman asks for a login wherever it pulls, in an `up`, at boot or by hand: in the files of Podman's own a
 * login of an operator's would be lost.
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
