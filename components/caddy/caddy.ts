import * as pulumi from "@pulumi/pulumi";
import type { Host } from "../host/host.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { type Site, siteManifest } from "../site/site.ts";
import { caddyManifest } from "./manifest.ts";
import type { CaddySettings } from "./schema.ts";

/** A host has one Caddy, whatever a program calls it. */
const NAME = "caddy";

export interface CaddyArgs extends Omit<CaddySettings, "sites"> {
  host: Host;
  /**
   * CIDRs of proxies in front of Caddy that are trusted to identify clients, also for sites of other stacks.
   * @default none
   */
  trustedProxies?: readonly string[];
  /** Sites by name, each with the resources that must be ready before the site is served. */
  sites: Record<string, Site & { after?: readonly pulumi.Resource[] }>;
}

/**
 * The Caddy web server, which terminates TLS. Each site is a separate fragment that is checked together with all others
 * before it goes live, and is loaded with a reload.
 *
 * @example
 * new Caddy("caddy", { host, tls: "acme", sites: { grafana: { domain: "grafana.example.org", backend: "127.0.0.1:3000" } } });
 */
export class Caddy extends pulumi.ComponentResource {
  /** Directory of the fragments; Caddy imports every `*.caddy` file in it. */
  readonly siteDirectory: string;
  readonly versions: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: CaddyArgs, opts?: pulumi.ComponentResourceOptions) {
    super("gatehouse:index:Caddy", name, {}, opts);
    const { host, tls, sites, trustedProxies = [], ...global } = args;
    const names = host.platform.caddy;
    const below = { parent: this };

    this.siteDirectory = `${names.config}/sites`;
    const packages = new Packages(name, { host, setName: NAME, names: names.packages, held: [names.unit] }, below);
    this.versions = packages.versions;
    const caddy = new Release(
      name,
      { host, releaseName: NAME, manifest: caddyManifest(names, { ...global, trustedProxies }) },
      { ...below, dependsOn: [packages] },
    );
    for (const [site, { after = [], ...served }] of Object.entries(sites)) {
      const releaseName = `site-${site}`;
      new Release(
        `${name}-${releaseName}`,
        { host, releaseName, manifest: siteManifest(names, tls, site, served) },
        { ...below, dependsOn: [caddy, ...after], aliases: [{ name: releaseName }] },
      );
    }
    this.registerOutputs({ versions: this.versions });
  }
}
