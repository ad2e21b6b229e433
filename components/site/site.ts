// A site of Caddy's, whoever brings it: the platform, or an app of another stack.
import type { Check, Manifest } from "../host/manifest.ts";
import type { Platform } from "../host/platforms/platform.ts";
import { rendered } from "../render/render.ts";

/** A public name, and what is there: what answers in plain HTTP on this host, or a folder of files. */
export type Site = {
  domain: string;
  /** More lines of Caddyfile. @default none */
  directives?: string;
} & ({ backend: string; files?: undefined } | { files: string; backend?: undefined });

/** Who signs a site's certificate: a public authority, or Caddy's own. */
export type Tls = "acme" | "internal";

/** One site: a fragment that Caddy imports. */
export function siteManifest(
  names: Platform["caddy"],
  tls: Tls,
  name: string,
  { domain, backend = "", files = "", directives = "" }: Site,
): Manifest {
  const lines = directives.split("\n").filter((line) => line.trim() !== "");
  return {
    files: [
      {
        ...rendered(`${names.config}/sites/${name}.caddy`, "root:root", "0644", "etc/caddy/sites/site.caddy", {
          domain,
          backend,
          files,
          tls,
          lines,
        }),
        reloads: [names.unit],
      },
    ],
    checks: [validate(names)],
    // With ACME the certificate depends on DNS and on others; whether it came is not this change's health.
    probes:
      tls === "internal" ? [{ name: `${domain} completes TLS`, exec: handshake(domain), through: names.unit }] : [],
  };
}

/**
 * All that Caddy would read. Relative imports, so that the copy is judged and not what is live; as Caddy's user, since a
 * check as root would leave folders in its home that only root can read.
 */
export const validate = ({ config, user }: Platform["caddy"]): Check => ({
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
