// A site of Caddy, from the platform or from an app in another stack.
import type { Check, Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { rendered } from "../render/render.ts";
import { bindChecks } from "./bind.ts";
import { directivesOf } from "./caddyfile.ts";

/** A public name, and its backend on this host in plain HTTP. */
export interface Site {
  domain: string;
  /** More Caddyfile lines. @default none */
  directives?: string;
  /** The site is authentik itself; its own pages send headers such as X-Authentik-CSRF. @default false */
  identifies?: boolean;
  /** Paths that are blocked from outside, in the format of the `path` matcher, such as `/setup*`. @default none */
  closed?: readonly string[];
  /** Address of the backend: an IP address and port, or `unix/` and the path of a socket. */
  backend: string;
  /** Directory of the files that it serves, which `directives` may refer to. @default none */
  files?: string;
}

/** Certificate authority for a site: a public one, or Caddy's own. */
export type Tls = "acme" | "internal";

/**
 * Headers by which a proxy identifies the client to an application that trusts them; a client must not send them. A `*`
 * matches any characters. An application that reads headers as variables cannot distinguish a dash from a `_`.
 */
const IDENTITY = [
  ...["*_*", "*.*", "Remote-*", "X-Remote-*", "X-Auth-Request-*", "X-Auth-User*", "X-Authenticated-*", "X-WebAuth-*"],
  ...["User", "Email", "Group", "Preferred", "Access"].map((what) => `X-Forwarded-${what}*`),
  ...["Forwarded", "X-SSL-*", "SSL-Client-*", "X-Goog-*", "Cf-Access-*", "Tailscale-User-*"],
];
const OF_AUTHENTIK = "X-Authentik-*";

/** Directives that apply to a whole site instead of a route. */
const OF_A_SITE = /^(tls|bind|log|handle_errors|@.*)$/;

/** The manifest of one site: a fragment that Caddy imports. */
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
    checks: [validate(names), ...bindChecks(names, all)],
    // With ACME, the certificate depends on DNS and third parties, so it is not part of the health of this change.
    probes:
      tls === "internal" ? [{ name: `${domain} completes TLS`, exec: handshake(domain), through: names.unit }] : [],
  };
}

/**
 * Validates everything that Caddy would read. Imports are relative, so that it validates the copy and not the live
 * files. Runs as Caddy's user: as root it would leave directories in Caddy's home that only root can read.
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
