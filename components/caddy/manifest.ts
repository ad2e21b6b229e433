import type { File, Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { rendered } from "../render/render.ts";
import { validate } from "../site/site.ts";
import type { CaddySettings } from "./schema.ts";

type Names = Distribution["caddy"];

const RELOAD = "usr/local/libexec/gatehouse/caddy-reload";

interface CaddyView extends Omit<CaddySettings, "tls" | "sites"> {
  /** CIDRs of trusted proxies in front of Caddy. */
  trustedProxies: readonly string[];
}

/** The manifest of Caddy itself, without sites. */
export function caddyManifest(names: Names, { email, acmeDirectory, trustedProxies }: CaddyView): Manifest {
  const { unit, user, config, data } = names;
  return {
    listens: ["*:80/tcp", "*:443/tcp", "*:443/udp"],
    data: [{ name: "certificates", path: data }],
    directories: [{ path: `${config}/sites`, mode: "0755", owner: "root:root" }],
    files: [
      {
        ...file(`${config}/Caddyfile`, "etc/caddy/Caddyfile", { email: email ?? "", directory: acmeDirectory ?? "" }),
        reloads: [unit],
      },
      // Every site imports these files if they exist, including sites of other stacks.
      ...(trustedProxies.length > 0 ? ["backend", "client"] : []).map((part) => ({
        ...file(`${config}/proxies/${part}.caddy`, `etc/caddy/proxies/${part}.caddy`, { trustedProxies }),
        reloads: [unit],
      })),
      {
        ...file(`/etc/systemd/system/${unit}.d/gatehouse.conf`, "etc/systemd/system/caddy.service.d/gatehouse.conf", {
          data,
          reload: `/${RELOAD}`,
        }),
        restarts: [unit],
      },
      rendered(`/${RELOAD}`, "root:root", "0755", RELOAD, { user, config }),
    ],
    checks: [validate(names)],
    units: [{ name: unit, enabled: true }],
    probes: [{ name: "Caddy's admin socket answers", socket: "/run/caddy/admin.sock" }],
  };
}

const file = (path: string, template: string, view: object): File =>
  rendered(path, "root:root", "0644", template, view);
