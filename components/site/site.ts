// A site of Caddy's, whoever brings it: the platform, or an app of another stack.
import type { Check, Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { rendered } from "../render/render.ts";
import { directivesOf } from "./caddyfile.ts";

/** A public name, and what answers there on this host in plain HTTP. */
export interface Site {
  domain: string;
  /** More lines of Caddyfile. @default none */
  directives?: string;
  /** It is authentik itself, whose own pages send it headers such as X-Authentik-CSRF. @default false */
  identifies?: boolean;
  /** Paths that nobody gets from outside, as Caddy's `path` has them, such as `/setup*`. @default none */
  closed?: readonly string[];
  /** Where that is: an address, or `unix/` and the path of a socket. */
  backend: string;
  /** The folder that it serves, in which `directives` may look for files. @default none */
  files?: string;
}

/** Who signs a site's certificate: a public authority, or Caddy's own. */
export type Tls = "acme" | "internal";

/**
 * By these names a proxy says who it is that asks, and an application believes it: no client may send them. A `*` stands
 * for any rest. An application that reads headers as variables sees no difference between a dash and a `_`.
 */
const IDENTITY = [
  ...["*_*", "*.*", "Remote-*", "X-Remote-*", "X-Auth-Request-*", "X-Auth-User*", "X-Authenticated-*", "X-WebAuth-*"],
  ...["User", "Email", "Group", "Preferred", "Access"].map((what) => `X-Forwarded-${what}*`),
  ...["Forwarded", "X-SSL-*", "SSL-Client-*", "X-Goog-*", "Cf-Access-*", "Tailscale-User-*"],
];
const OF_AUTHENTIK = "X-Authentik-*";

/** They belong to a site and to no place in it. */
const OF_A_SITE = /^(tls|bind|log|handle_errors|@.*)$/;

/** One site: a fragment that Caddy imports. */
export function siteManifest(
  names: Distribution["caddy"],
  tls: Tls,
  name: string,
  { domain, backend, files = "", directives = "", identifies = false, closed = [] }: Site,
): Manifest {
  const all = directivesOf(directives);
  const linesOf = (ofSite: boolean) =>
    all.filter(({ name }) => OF_A_SITE.test(name) === ofSite).flatMap(({ lines }) => lines);
  return {
    files: [
      {
        ...rendered(`${names.config}/sites/${name}.caddy`, "root:root", "0644", "etc/caddy/sites/site.caddy", {
          domain,
          backend,
          files,
          tls,
          closed,
          stripped: [...IDENTITY, ...(identifies ? [] : [OF_AUTHENTIK])],
          outer: linesOf(true),
          inner: linesOf(false),
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
export const validate = ({ config, user }: Distribution["caddy"]): Check => ({
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
