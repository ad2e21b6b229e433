import * as pulumi from "@pulumi/pulumi";
import type { Authentik } from "../authentik/authentik.ts";
import type { Caddy } from "../caddy/caddy.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Host } from "../host/host.ts";
import type { Postgres } from "../postgres/postgres.ts";
import type { Valkey } from "../valkey/valkey.ts";
import { CLUSTER_SCHEMA_VERSION, type Pending, type PlatformFacts, SCHEMA_VERSION } from "./contract.ts";

/** The port in templates/etc/valkey/valkey.conf.njk; a test compares the two. */
const VALKEY_PORT = 6379;

/**
 * The platform as one object of plain facts, for a StackReference. It contains the host's address and host key so that
 * a consumer can connect; consumers bring their own private key. It must contain no secrets: a single one would make
 * the whole output secret for a consumer, and with it every file that contains a GID.
 */
export function platformOf(parts: {
  host: Host;
  postgres: Postgres;
  valkey: Valkey;
  authentik: Authentik;
  caddy: Caddy;
  tls: pulumi.Input<PlatformFacts["caddy"]["tls"]>;
}) {
  const { host, postgres, valkey, authentik, caddy, tls } = parts;
  const group = ({ clients }: Postgres | Valkey) => ({ name: clients.groupName, gid: clients.gid });
  const { address, port, hostKey } = host.connection;
  return {
    schemaVersion: SCHEMA_VERSION,
    host: { address, port, hostKey, platform: host.platform.id },
    groups: { postgres: group(postgres), valkey: group(valkey) },
    postgres: {
      socketDirectory: postgres.socketDirectory,
      socket: `${postgres.socketDirectory}/.s.PGSQL.${postgres.port}`,
      port: postgres.port,
      unit: postgres.unit,
      hbaDirectory: `${host.platform.postgres.config}/hba.d`,
      versions: postgres.versions,
    },
    valkey: {
      socketDirectory: valkey.socketDirectory,
      socket: valkey.socket,
      port: VALKEY_PORT,
      unit: valkey.unit,
      databases: valkey.databases,
      versions: valkey.versions,
    },
    caddy: { siteDirectory: caddy.siteDirectory, unit: host.platform.caddy.unit, tls, versions: caddy.versions },
    authentik: {
      url: authentik.url,
      issuer: pulumi.interpolate`${authentik.url}/application/o/`,
      uid: authentik.account.uid,
      gid: authentik.account.gid,
    },
  } satisfies Pending<PlatformFacts>;
}

/**
 * The platform of three hosts: each with its own GIDs. An app of another stack runs on one of them, and reaches the
 * database wherever its primary is.
 */
export function clusterPlatformOf(
  places: Readonly<Record<string, { host: Host; authentik: Authentik; caddy: Caddy }>>,
  cluster: Cluster,
  tls: PlatformFacts["caddy"]["tls"],
) {
  const [first] = Object.values(places);
  const on = ([name, { host, authentik, caddy }]: [string, { host: Host; authentik: Authentik; caddy: Caddy }]) => {
    const { address, port, hostKey } = host.connection;
    const { clients, unit, socketDirectory, port: number } = cluster.doors[name] as Cluster["doors"][string];
    return [
      name,
      {
        host: { address, port, hostKey, platform: host.platform.id },
        groups: { postgres: { name: clients.groupName, gid: clients.gid } },
        postgres: { socketDirectory, socket: `${socketDirectory}/.s.PGSQL.${number}`, port: number, unit },
        caddy: { siteDirectory: caddy.siteDirectory, unit: host.platform.caddy.unit, tls, versions: caddy.versions },
        authentik: { uid: authentik.account.uid, gid: authentik.account.gid },
      },
    ] as const;
  };
  return {
    schemaVersion: CLUSTER_SCHEMA_VERSION,
    hosts: Object.fromEntries(Object.entries(places).map(on)),
    authentik: { url: first?.authentik.url, issuer: pulumi.interpolate`${first?.authentik.url}/application/o/` },
  };
}
