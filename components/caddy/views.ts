import type { Check, File, Manifest } from "../host/manifest.ts";
import type { Platform } from "../host/platforms/platform.ts";
import { rendered } from "../render/render.ts";
import type { CaddySettings, Site } from "./schema.ts";

type Names = Platform["caddy"];

/** Caddy itself, without any site. */
export function caddyManifest(names: Names, { email }: Pick<CaddySettings, "email">): Manifest {
  const { unit, config } = names;
  return {
    directories: [{ path: `${config}/sites`, mode: "0755", owner: "root:root" }],
    files: [
      { ...file(`${config}/Caddyfile`, "etc/caddy/Caddyfile", { email: email ?? "" }), reloads: [unit] },
      {
        ...file(
          `/etc/systemd/system/${unit}.d/gatehouse.conf`,
          "etc/systemd/system/caddy.service.d/gatehouse.conf",
          {},
        ),
        restarts: [unit],
      },
    ],
    checks: [validate(names)],
    units: [{ name: unit, enabled: true }],
    probes: [{ name: "Caddy's admin socket answers", socket: "/run/caddy/admin.sock" }],
  };
}

/** One site: a fragment that Caddy imports. */
export function siteManifest(
  names: Names,
  tls: CaddySettings["tls"],
  name: string,
  { domain, backend, directives = "" }: Site,
): Manifest {
  const lines = directives.split("\n").filter((line) => line.trim() !== "");
  return {
    files: [
      {
        ...file(`${names.config}/sites/${name}.caddy`, "etc/caddy/sites/site.caddy", { domain, backend, tls, lines }),
        reloads: [names.unit],
      },
    ],
    checks: [validate(names)],
    // With ACME the certificate depends on DNS and on others; whether it came is not this change's health.
    probes: tls === "internal" ? [{ name: `${domain} completes TLS`, exec: handshake(domain) }] : [],
  };
}

// Relative imports, so that the copy is judged and not what is live; as Caddy's user, since a check as root would
// leave folders in its home that only root can read.
const validate = ({ config, user }: Names): Check => ({
  name: "caddy validate",
  tree: config,
  user,
  exec: ["caddy", "validate", "--adapter", "caddyfile", "--config", "{tree}/Caddyfile"],
});

const handshake = (domain: string) => [
  "curl",
  "--silent",
  "--show-error",
  "--output",
  "/dev/null",
  "--insecure",
  "--connect-to",
  `${domain}:443:127.0.0.1:443`,
  `https://${domain}/`,
];

const file = (path: string, template: string, view: object): File =>
  rendered(path, "root:root", "0644", template, view);
