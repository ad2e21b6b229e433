import type { Input } from "@pulumi/pulumi";
import type { Authentik } from "./authentik/authentik.ts";
import type { Caddy } from "./caddy/caddy.ts";
import type { Host } from "./host/host.ts";
import type { Postgres } from "./postgres/postgres.ts";
import type { Valkey } from "./valkey/valkey.ts";

/** What other stacks may rely on. A breaking change raises the version. */
export const SCHEMA_VERSION = 1;

/** A group whose members may use a socket. */
export interface GroupFact {
  name: string;
  gid: Input<number>;
}

/**
 * The platform as one object of plain facts, for a StackReference. The host's address and key are in it so that a
 * consumer can reach it; a private key is not: a consumer brings its own. Nothing in it is secret: one secret would make
 * all of it secret to a consumer, and with it every file that names a GID.
 */
export function platformOf(parts: {
  host: Host;
  postgres: Postgres;
  valkey: Valkey;
  authentik: Authentik;
  caddy: Caddy;
}) {
  const { host, postgres, valkey, authentik, caddy } = parts;
  const group = ({ clients }: Postgres | Valkey): GroupFact => ({ name: clients.groupName, gid: clients.gid });
  const { address, port, hostKey } = host.connection;
  return {
    schemaVersion: SCHEMA_VERSION,
    host: { address, port, hostKey, platform: host.platform.id },
    groups: { postgres: group(postgres), valkey: group(valkey) },
    postgres: {
      socketDirectory: postgres.socketDirectory,
      port: postgres.port,
      versions: postgres.versions,
    },
    valkey: { socket: valkey.socket, databases: valkey.databases, versions: valkey.versions },
    caddy: { siteDirectory: caddy.siteDirectory, versions: caddy.versions },
    authentik: {
      url: authentik.url,
      issuer: `${authentik.url}/application/o/`,
      uid: authentik.account.uid,
      gid: authentik.account.gid,
    },
  };
}
