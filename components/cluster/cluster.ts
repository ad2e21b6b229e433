import * as pulumi from "@pulumi/pulumi";
import type { Manifest } from "../../protocol/manifest.ts";
import { Component } from "../host/component.ts";
import { Group } from "../host/group.ts";
import type { Host } from "../host/host.ts";
import { Key } from "../host/key.ts";
import { Packages } from "../host/packages.ts";
import { Release } from "../host/release.ts";
import { settingsOf } from "../host/settings.ts";
import type { PostgresInput } from "../postgres/input.ts";
import { clusterManifest, databasesManifest, rolesOf } from "../postgres/manifest.ts";
import { postgresSchema } from "../postgres/schema.ts";
import { DOOR, doorManifest } from "./door-manifest.ts";
import { ETCD, etcdManifest } from "./etcd.ts";
import { asMember, type ClusterView, KEY, KEY_GROUP } from "./members.ts";
import { clusterSettingsManifest, memberManifest } from "./patroni.ts";

/** The hosts of a cluster, and the settings of PostgreSQL on all of them. */
export interface ClusterArgs extends Omit<PostgresInput, "gid"> {
  /** Three hosts by name. The first one creates the cluster, or brings its data into it. */
  hosts: Readonly<Record<string, ClusterHost>>;
}

/** A host, and its place on the network between the hosts. */
export interface ClusterHost {
  host: Host;
  /** Its address on the network between the hosts. Ports 2379, 2380, 5432 and 8008 must be open there. */
  private: string;
  /** GID of postgres-clients. @default - the host chooses */
  gid?: pulumi.Input<number>;
}

/** What clients of PostgreSQL on a host use, the same as with a PostgreSQL of the host's own. */
export interface Door {
  /** Members of this group may use the socket. */
  readonly clients: Group;
  /** The systemd unit behind the socket. */
  readonly unit: string;
  /** To mount into a container, read-only. */
  readonly socketDirectory: string;
  /** Part of the name of the socket file. */
  readonly port: number;
  /** For `dependsOn`: resolved once a client reaches the primary, and all roles and databases exist. */
  readonly ready: pulumi.Resource[];
}

/**
 * PostgreSQL on three hosts, of which any one may be lost: Patroni decides through etcd which of them is the primary, a
 * transaction is acknowledged once two hosts have it, and on each host a socket leads to the primary.
 *
 * @example
 * const hosts = { a: { host: a, private: "10.0.0.11" }, b: { host: b, private: "10.0.0.12" }, c: { host: c, private: "10.0.0.13" } };
 * const cluster = new Cluster("postgres", { hosts, databases: { authentik: {} } });
 * new Authentik("authentik", { host: a, postgres: cluster.doors.a, domain: "auth.example.org", version: "2026.8.3" });
 */
export class Cluster extends Component {
  /** By host. */
  readonly doors: Readonly<Record<string, Door>>;

  constructor(name: string, args: ClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    const { hosts, ...given } = args;
    const settings = settingsOf("Cluster", name, postgresSchema, given);
    super("Cluster", name, opts);
    const names = Object.keys(hosts);
    const certificates = names.map((host) => this.key(`${name}-${host}`, host, hosts[host] as ClusterHost));
    const view = (own: string, certificates: readonly string[]): ClusterView => {
      const members = names.map((name, index) => ({
        name,
        address: (hosts[name] as ClusterHost).private,
        certificate: certificates[index] ?? "",
      }));
      return { own: members[names.indexOf(own)] as (typeof members)[number], members };
    };
    const each = (render: (view: ClusterView, host: Host) => Manifest) => (own: string) => {
      const { host } = hosts[own] as ClusterHost;
      const of = (certificates: readonly string[]) => render(view(own, certificates), host);
      return { host, manifest: pulumi.all(certificates).apply(of), sketch: of([]) };
    };

    const has = (own: string, item: string) => item in (hosts[own]?.host.facts?.items ?? {});
    // At first all at once, since one alone has no majority; later one after the other, so that a change leaves one.
    const exists = names.every((own) => has(own, "release-etcd"));
    const etcd: Release[] = [];
    for (const own of names)
      etcd.push(this.etcd(`${name}-${own}`, each(etcdManifest)(own), exists ? etcd.slice(-1) : []));
    const members = new Map<string, Release>();
    // The last ones are those without data, which the others must trust before these can copy.
    for (const own of names.toSorted((a, b) => +has(b, "release-postgres") - +has(a, "release-postgres"))) {
      const rendered = each((view, host) => memberManifest(host.platform.postgres, view, settings.shape))(own);
      // One after the other: the first one creates the cluster, and a change restarts one host at a time.
      const member = this.member(`${name}-${own}`, view(own, []), rendered, [
        ...etcd,
        ...[...members.values()].slice(-1),
      ]);
      members.set(own, member);
    }
    const away = names.filter((name) => hosts[name]?.host.away);
    const [first = ""] = names;
    const { host } = hosts[first] as ClusterHost;
    const whole = new Release(
      `${name}-settings`,
      { host, releaseName: "cluster-settings", manifest: clusterSettingsManifest(host.platform.postgres, away) },
      { parent: this, dependsOn: [...members.values()] },
    );
    const databases = new Release(
      `${name}-databases`,
      {
        host,
        releaseName: "postgres-databases",
        manifest: databasesManifest(host.platform.postgres, settings.shape),
      },
      { parent: this, dependsOn: [whole] },
    );
    const roles = rolesOf(settings.shape);
    const opened: pulumi.Resource[] = [];
    const open = (own: string): [string, Door] => {
      const { gid } = hosts[own] as ClusterHost;
      const render = each((view, host) => doorManifest(host.platform.postgres, "postgres-clients", view, roles));
      // Not after the others are members: clients of a host that was alone have no socket until then.
      const door = this.door(`${name}-${own}`, render(own), gid, [members.get(own) as Release, ...opened.slice(-1)]);
      opened.push(...door.ready);
      return [own, { ...door, ready: [...door.ready, databases] }];
    };
    this.doors = Object.fromEntries(names.map(open));
    this.registerOutputs();
  }

  private key(name: string, subject: string, { host, private: address }: ClusterHost): pulumi.Output<string> {
    const group = new Group(`${name}-key`, { host, groupName: KEY_GROUP }, { parent: this });
    const args = { host, keyName: KEY, subject, addresses: [address], group };
    return new Key(`${name}-key`, args, { parent: this }).certificate;
  }

  private etcd(name: string, { host, ...of }: Rendered, after: pulumi.Resource[]): Release {
    const packages = new Packages(
      `${name}-etcd`,
      { host, setName: "etcd", names: ETCD.packages, held: [ETCD.unit] },
      { parent: this },
    );
    return new Release(
      `${name}-etcd`,
      { host, releaseName: "etcd", ...of },
      { parent: this, dependsOn: [packages, ...after] },
    );
  }

  private member(name: string, view: ClusterView, { host, ...of }: Rendered, after: pulumi.Resource[]): Release {
    const names = asMember(host.platform.postgres, view);
    const none = new Release(
      `${name}-empty`,
      { host, releaseName: "postgres-cluster", manifest: clusterManifest(names) ?? {} },
      { parent: this },
    );
    const packages = new Packages(
      `${name}-postgres`,
      { host, setName: "postgres", names: names.packages, held: [names.unit] },
      { parent: this, dependsOn: [none] },
    );
    return new Release(
      `${name}-postgres`,
      { host, releaseName: "postgres", ...of },
      { parent: this, dependsOn: [packages, ...after] },
    );
  }

  private door(
    name: string,
    { host, ...of }: Rendered,
    gid: pulumi.Input<number> | undefined,
    after: pulumi.Resource[],
  ): Door {
    const clients = new Group(`${name}-clients`, { host, groupName: "postgres-clients", gid }, { parent: this });
    const packages = new Packages(
      `${name}-door`,
      { host, setName: "door", names: DOOR.packages, held: [DOOR.unit, DOOR.proxy] },
      { parent: this },
    );
    const release = new Release(
      `${name}-door`,
      { host, releaseName: "door", ...of },
      { parent: this, dependsOn: [clients, packages, ...after] },
    );
    return {
      clients,
      unit: DOOR.unit,
      socketDirectory: host.platform.postgres.socketDirectory,
      port: 5432,
      ready: [release],
    };
  }
}

interface Rendered {
  host: Host;
  manifest: pulumi.Output<Manifest>;
  sketch: Manifest;
}
