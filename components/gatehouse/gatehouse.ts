// The architecture on a page: the services, and what each gets from the others.

import type * as pulumi from "@pulumi/pulumi";
import type { Facts } from "../../protocol/facts.ts";
import type { App } from "../app/app.ts";
import { declaredApps } from "../app/entries.ts";
import { Authentik } from "../authentik/authentik.ts";
import { Backup } from "../backup/backup.ts";
import { clusterFolder } from "../backup/manifest.ts";
import { Caddy } from "../caddy/caddy.ts";
import { inspect } from "../connection/inspect.ts";
import { inspectionMode } from "../connection/inspection-mode.ts";
import { Component } from "../host/component.ts";
import { Host } from "../host/host.ts";
import { refuseRunOptions } from "../host/run-options.ts";
import { platformOf } from "../platform/producer.ts";
import { Postgres } from "../postgres/postgres.ts";
import { Registries } from "../registries/registries.ts";
import { computed } from "../sdk/outputs.ts";
import { Valkey } from "../valkey/valkey.ts";
import { allSettings, expectationsOf, type GatehouseArgs } from "./args.ts";

/**
 * The whole platform on one host: PostgreSQL, Valkey, authentik and Caddy, and optionally logins to registries and
 * backups. Its parts are properties, for other components on the same host. A program for several hosts declares one
 * platform for each.
 *
 * @throws pulumi.RunError with every fault in the arguments, before any resource is declared.
 * @example
 * const config = new pulumi.Config();
 * const args = {
 *   host: { address: "192.0.2.10", hostKey: config.require("hostKey"), privateKey: config.requireSecret("sshKey") },
 *   authentik: { domain: "auth.example.org", version: "2026.8.3" },
 *   backup: { repository: { path: "/srv/backups" } },
 * };
 * const prod = new Gatehouse("prod", { ...args, facts: await Gatehouse.inspect(args) });
 *
 * const { host, postgres } = prod;
 * new App("wiki", { host, postgres, containers: { web: { image: "registry.example.org/wiki:1.4.2", port: 8080 } } });
 * export const platform = prod.platform;
 * export const recovery = prod.recovery;
 */
export class Gatehouse extends Component {
  /** For other components on this host. */
  readonly host: Host;
  /** For apps that use PostgreSQL. */
  readonly postgres: Postgres;
  /** With the login of each application in `valkey.databases`. */
  readonly valkey: Valkey;
  /** With its public address and its account. */
  readonly authentik: Authentik;
  /** For `dependsOn` of an app with a site. */
  readonly caddy: Caddy;
  /** The apps of the configuration, by name. */
  readonly apps: Readonly<Record<string, App>>;
  /** For other stacks: `Platform.fromStack` reads it if the program exports it under this name. Not secret. */
  readonly platform: ReturnType<typeof platformOf>;
  /** Passwords of PostgreSQL roles and URLs of Valkey users, by name. Secret. */
  readonly logins: { postgres: Postgres["passwords"]; valkey: Valkey["urls"] };
  /** First login to a new authentik, secret; null if the arguments set a password. */
  readonly administrator: Authentik["administrator"];
  /**
   * Secrets that a restore on another host needs; null without a backup. Store them away from both the host and the
   * state.
   */
  readonly recovery: Backup["recovery"] | null;

  constructor(name: string, args: GatehouseArgs, opts?: pulumi.ComponentResourceOptions) {
    refuseRunOptions();
    const { shape, args: settings } = allSettings(name, args);
    const { trustedProxies, registries: logins } = settings;
    const { abandoned, takeOver } = shape.host;
    super("Gatehouse", name, opts);
    const below = { parent: this };

    const expectations = expectationsOf(shape, settings);
    const { facts } = args;
    const hostArgs = { connection: settings.host, ...expectations, abandoned, takeOver, facts };
    const host = new Host(`${name}-host`, hostArgs, below);
    const repository = computed(settings.backup?.repository.path, (path) => clusterFolder({ path }));
    const databases = computed(settings.postgres?.databases ?? {}, (all) => ({ ...all, authentik: {} }));
    const postgres = new Postgres(`${name}-postgres`, { host, ...settings.postgres, repository, databases }, below);
    const valkey = new Valkey(`${name}-valkey`, { host, ...settings.valkey }, below);
    const registries = logins && new Registries(`${name}-registries`, { host, logins }, below);
    const authentik = new Authentik(
      `${name}-authentik`,
      {
        host,
        postgres,
        after: registries?.ready,
        ...settings.authentik,
        trustedProxies,
        valkey: shape.authentik.valkey ? valkey : undefined,
      },
      below,
    );
    // Declared after the clients of PostgreSQL: setting up backups restarts PostgreSQL once, which must not happen
    // during their first start.
    const after = [...postgres.ready, ...authentik.ready];
    const backup = settings.backup && new Backup(`${name}-backup`, { host, after, ...settings.backup }, below);
    const sites = {
      ...Object.fromEntries(
        Object.entries(settings.caddy?.sites ?? {}).map(([site, its]) => [site, authentik.front(its)]),
      ),
      authentik: { ...authentik.site, after: authentik.ready },
    };
    const caddy = new Caddy(`${name}-caddy`, { host, ...settings.caddy, trustedProxies, sites }, below);
    const tls = settings.caddy?.tls ?? shape.caddy.tls;
    const forApps = { host, postgres, after: registries?.ready ?? [], caddy, tls, secrets: settings.appSecrets ?? {} };

    this.host = host;
    this.postgres = postgres;
    this.valkey = valkey;
    this.authentik = authentik;
    this.caddy = caddy;
    this.apps = declaredApps(name, settings.apps ?? {}, forApps, this);
    this.platform = platformOf({ host, postgres, valkey, authentik, caddy, tls });
    this.logins = { postgres: postgres.passwords, valkey: valkey.urls };
    this.administrator = authentik.administrator;
    this.recovery = backup?.recovery ?? null;
    this.registerOutputs({ url: authentik.url });
  }

  /**
   * Inspects the host in one read-only SSH session, before anything is declared. A platform with these facts reports
   * drift in a preview and reverts it, and refuses names that are in use on the host before it changes anything.
   *
   * @returns undefined if `drift` is false or the host is abandoned, or if a preview cannot reach the host.
   */
  static async inspect(args: GatehouseArgs): Promise<Facts | undefined> {
    const { address } = args.host;
    const { shape, args: settings } = allSettings(typeof address === "string" ? `on ${address}` : "to inspect", args);
    const mode = inspectionMode(shape.drift && !shape.host.abandoned);
    return mode === "off" ? undefined : inspect(settings.host, expectationsOf(shape, settings), mode);
  }
}
