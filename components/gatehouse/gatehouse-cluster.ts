import * as pulumi from "@pulumi/pulumi";
import type { Facts } from "../../protocol/facts.ts";
import { Authentik, type AuthentikArgs } from "../authentik/authentik.ts";
import { sharedSecrets } from "../authentik/shared-secrets.ts";
import { Caddy } from "../caddy/caddy.ts";
import { Cluster } from "../cluster/cluster.ts";
import { inCluster } from "../cluster/members.ts";
import type { ClusterSettings } from "../config/cluster-schema.ts";
import type { Connection } from "../connection/connection.ts";
import { inspect } from "../connection/inspect.ts";
import { inspectionMode } from "../connection/inspection-mode.ts";
import { isRecorded } from "../connection/recorded-facts.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { platforms, USUAL } from "../distribution/distributions.ts";
import { Component } from "../host/component.ts";
import { Host } from "../host/host.ts";
import { refuseRunOptions } from "../host/run-options.ts";
import { refuse } from "../host/settings.ts";
import { clusterPlatformOf } from "../platform/producer.ts";
import { Registries, type RegistriesArgs } from "../registries/registries.ts";
import type { Fault } from "../schema/faults.ts";

/** The configuration of three hosts: the keys of docs/configuration.md, with the secrets beside their settings. */
export interface GatehouseClusterArgs extends Omit<ClusterSettings, "hosts" | "authentik"> {
  /** Three hosts by name, and how to connect to them. The first one creates the cluster. */
  hosts: Readonly<Record<string, ClusterSettings["hosts"][string] & Pick<Connection, "privateKey">>>;
  /** authentik's settings, and its secret settings. */
  authentik: ClusterSettings["authentik"] & Pick<AuthentikArgs, "secretEnvironment">;
  /** Logins to private registries. @default none */
  registries?: RegistriesArgs["logins"];
  /** What `GatehouseCluster.inspect` returned. @default - the hosts were not inspected */
  facts?: Readonly<Record<string, Facts | undefined>>;
}

/** The one whose packages have all parts of a cluster. */
const DISTRIBUTION = platforms[USUAL];

/** A host, and what of the platform runs on it. */
interface Place {
  host: Host;
  authentik: Authentik;
  caddy: Caddy;
}

/**
 * Pulumi sorts the hosts by name, and the first one creates the cluster. If one host alone has data, these are to be its
 * data.
 */
function* dataElsewhere(
  names: readonly string[],
  facts: Readonly<Record<string, Facts | undefined>>,
): Generator<Fault> {
  const [first = ""] = names;
  const [one, ...more] = names.filter((name) => "release-postgres" in (facts[name]?.items ?? {}));
  if (one !== undefined && one !== first && more.length === 0)
    yield {
      path: ["hosts", one],
      message: `has PostgreSQL with data, and ${first}, which comes before it by name, would create an empty cluster: name the host with the data so that it is the first one in alphabetical order`,
    };
}

/**
 * The platform on three hosts, of which any one may be lost: authentik and Caddy run on all of them, beside one
 * PostgreSQL whose primary moves to another host if its own is lost.
 *
 * @example
 * const args = load();
 * if ("hosts" in args) new GatehouseCluster("prod", { ...args, facts: await GatehouseCluster.inspect(args) });
 */
export class GatehouseCluster extends Component {
  /** By host. */
  readonly places: Readonly<Record<string, Place>>;
  /** For other stacks. Not secret. */
  readonly platform: ReturnType<typeof clusterPlatformOf>;
  /** First login to a new authentik, secret; null if the arguments set a password. */
  readonly administrator: pulumi.Output<{ name: string; password: string } | null>;

  constructor(name: string, args: GatehouseClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    refuseRunOptions();
    super("GatehouseCluster", name, opts);
    const below = { parent: this };
    const { hosts: asked, trustedProxies, registries: logins } = args;
    const names = Object.keys(asked);
    refuse("GatehouseCluster", name, [...dataElsewhere(names, args.facts ?? {})]);
    const platform = inCluster(
      DISTRIBUTION,
      names.map((host) => asked[host]?.private ?? ""),
    );
    const hosts = Object.fromEntries(names.map((host) => [host, this.host(name, host, args, platform)]));
    const cluster = new Cluster(
      `${name}-postgres`,
      {
        hosts: Object.fromEntries(
          Object.entries(asked).map(([host, { private: address, gid }]) => [
            host,
            { host: hosts[host] as Host, private: address, gid },
          ]),
        ),
        settings: args.postgres.settings,
        writable: args.postgres.writable,
        roles: args.postgres.roles,
        databases: { ...args.postgres.databases, authentik: {} },
      },
      below,
    );
    const { secretEnvironment, administrator } = sharedSecrets(
      name,
      args.authentik.secretEnvironment ?? {},
      args.authentik.rotation,
      this,
    );
    const places: [string, Place][] = [];
    for (const own of names) {
      const host = hosts[own] as Host;
      const registries = logins && new Registries(`${name}-${own}-registries`, { host, logins }, below);
      // The first host migrates the database. The others follow one after the other, so that two always answer.
      const { valkey: _, rotation: __, ...settings } = args.authentik;
      const authentik = new Authentik(
        `${name}-${own}-authentik`,
        {
          host,
          postgres: cluster.doors[own] as NonNullable<(typeof cluster.doors)[string]>,
          follows: places.at(-1)?.[1].authentik,
          after: registries?.ready,
          ...settings,
          secretEnvironment,
          trustedProxies,
        },
        below,
      );
      const sites = {
        ...Object.fromEntries(Object.entries(args.caddy.sites).map(([site, its]) => [site, authentik.front(its)])),
        authentik: { ...authentik.site, after: authentik.ready },
      };
      const caddy = new Caddy(`${name}-${own}-caddy`, { host, ...args.caddy, trustedProxies, sites }, below);
      places.push([own, { host, authentik, caddy }]);
    }
    this.places = Object.fromEntries(places);
    this.platform = clusterPlatformOf(this.places, cluster, args.caddy.tls);
    this.administrator = pulumi.output(administrator);
    this.registerOutputs({ url: places[0]?.[1].authentik.url });
  }

  /** Inspects all hosts at once, before anything is declared. A preview goes on without a host that does not answer. */
  static async inspect(args: GatehouseClusterArgs): Promise<Record<string, Facts | undefined>> {
    const mode = inspectionMode(args.drift);
    if (mode === "off") return {};
    if (isRecorded())
      throw new pulumi.RunError(
        "the plan and the drift report are about one host, and this stack has three: use pulumi preview --diff",
      );
    const there = Object.entries(args.hosts).filter(([, { down }]) => !down);
    const each = there.map(
      async ([name, connection]) =>
        [
          name,
          await inspect(connection, { platform: DISTRIBUTION, gids: { "postgres-clients": connection.gid } }, mode),
        ] as const,
    );
    return Object.fromEntries(await Promise.all(each));
  }

  private host(name: string, own: string, args: GatehouseClusterArgs, platform: Distribution): Host {
    const { takeOver, gid, down, ...connection } = args.hosts[own] as GatehouseClusterArgs["hosts"][string];
    const gids = { "postgres-clients": gid };
    return new Host(
      `${name}-${own}-host`,
      { connection, platform, gids, away: down, takeOver, facts: args.facts?.[own] },
      { parent: this },
    );
  }
}
