import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { Component } from "../host/component.ts";
import type { Host } from "../host/host.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { settingsOf } from "../host/settings.ts";
import { faultsIn } from "../schema/faults.ts";
import { asNetwork, proxies } from "../schema/scalars.ts";
import { type Site, siteManifest } from "../site/site.ts";
import type { CaddyInput } from "./input.ts";
import { caddyManifest } from "./manifest.ts";
import { caddySchema } from "./schema.ts";

/** A host has one Caddy, whatever a program calls it. */
const NAME = "caddy";

/** A site: a public name and its backend on this host. `authentik.site` and `authentik.front(...)` return more. */
export interface SiteArgs extends Pick<Required<CaddyInput>["sites"][string], "domain" | "backend" | "directives"> {
  /** The site is authentik itself; its own pages send headers such as X-Authentik-CSRF. @default false */
  identifies?: pulumi.Input<boolean>;
  /** Paths that are blocked from outside, in the format of the `path` matcher, such as `/setup*`. @default none */
  closed?: pulumi.Input<readonly pulumi.Input<string>[]>;
  /** Resources that must be ready before the site is served. @default nothing */
  after?: readonly pulumi.Resource[];
}

/** Caddy's settings, and its sites. */
export interface CaddyArgs extends Omit<CaddyInput, "sites"> {
  /** The host that it runs on, which has no other one. */
  host: Host;
  /**
   * CIDRs of proxies in front of Caddy that are trusted to identify clients, also for sites of other stacks.
   * @default none
   */
  trustedProxies?: pulumi.Input<readonly pulumi.Input<string>[]>;
  /** Sites by name. @default none */
  sites?: Record<string, SiteArgs>;
}

/**
 * The Caddy web server, which terminates TLS. Each site is a separate fragment that is checked together with all others
 * before it goes live, and is loaded with a reload.
 *
 * @example
 * new Caddy("caddy", { host, sites: { grafana: { domain: "grafana.example.org", backend: "127.0.0.1:3000" } } });
 */
export class Caddy extends Component {
  /** Directory of the fragments; Caddy imports every `*.caddy` file in it. */
  readonly siteDirectory: string;
  /** Version by package name, as the package manager reports it. */
  readonly versions: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: CaddyArgs, opts?: pulumi.ComponentResourceOptions) {
    const { host, sites: asked = {}, trustedProxies = [], ...given } = args;
    const plain = Object.entries(asked).map(([site, { after, identifies, closed, ...settings }]) => [site, settings]);
    const settings = settingsOf(
      "Caddy",
      name,
      caddySchema,
      { ...given, sites: Object.fromEntries(plain) as CaddyInput["sites"] },
      { given: { trustedProxies }, faults: (given) => faultsIn(z.object({ trustedProxies: z.array(proxies) }), given) },
    );
    const trusted = pulumi.output(trustedProxies).apply((list) => list.map(asNetwork));
    super("Caddy", name, opts);
    const names = host.platform.caddy;
    const below = { parent: this };

    this.siteDirectory = `${names.config}/sites`;
    const packages = new Packages(name, { host, setName: NAME, names: names.packages, held: [names.unit] }, below);
    this.versions = packages.versions;
    const manifest = settings.manifest(
      (global, trustedProxies) => caddyManifest(names, { ...global, trustedProxies }),
      trusted,
      [],
    );
    const caddy = new Release(name, { host, releaseName: NAME, ...manifest }, { ...below, dependsOn: [packages] });
    for (const [site, { after = [], identifies = false, closed = [] }] of Object.entries(asked)) {
      const releaseName = `site-${site}`;
      const manifest = settings.manifest<Pick<Site, "identifies" | "closed">>(
        ({ tls, sites }, of) => siteManifest(names, tls, site, { ...(sites[site] as Site), ...of }),
        pulumi.output({ identifies, closed }),
        {},
      );
      new Release(
        `${name}-${releaseName}`,
        { host, releaseName, ...manifest },
        { ...below, dependsOn: [caddy, ...after], aliases: [{ name: releaseName }] },
      );
    }
    this.registerOutputs({ versions: this.versions });
  }
}
