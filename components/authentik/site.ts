// authentik as a site of Caddy.
import { setupPaths } from "./administrator.ts";
import type { AuthentikSettings } from "./schema.ts";
import { WEB_PATH } from "./variables.ts";

/** The base path of authentik, with a slash at both ends. */
export const pathOf = ({ environment }: Pick<AuthentikSettings, "environment">): string =>
  String(environment[WEB_PATH] ?? "/");

/** Site for Caddy: the public name, and the address on the host. */
export interface AuthentikSite {
  domain: string;
  backend: string;
  directives: string;
  identifies: true;
  closed: readonly string[];
}

export const authentikSite = (
  settings: Pick<AuthentikSettings, "domain" | "port" | "directives" | "environment">,
): AuthentikSite => ({
  domain: settings.domain,
  backend: backendOf(settings),
  directives: settings.directives,
  identifies: true,
  closed: closedPaths(settings),
});

/** Its address on the host. */
export const backendOf = ({ port }: Pick<AuthentikSettings, "port">): string => `127.0.0.1:${port}`;
/** Its paths that are blocked from outside. */
export const closedPaths = (settings: Pick<AuthentikSettings, "environment">): string[] => setupPaths(pathOf(settings));

/** The port of an address. */
export const portOf = (backend: string) => backend.replace(/^.*:/, "");

/**
 * If a site also leads to authentik, such as that of another brand, it blocks the same paths as authentik's own site.
 */
export const asAuthentik = <Wishes extends { backend: string }>(
  site: Wishes,
  own: Pick<AuthentikSite, "backend" | "identifies" | "closed">,
): Wishes & Partial<Pick<AuthentikSite, "identifies" | "closed">> =>
  portOf(site.backend) === portOf(own.backend) ? { ...site, identifies: own.identifies, closed: own.closed } : site;
