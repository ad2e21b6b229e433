import type { PlatformFacts } from "../../components/platform/contract.ts";
import { HOST_KEY } from "./program.ts";

/** The output `platform` of another stack. */
export const FACTS: PlatformFacts = {
  schemaVersion: 1,
  host: { address: "192.0.2.10", port: 2222, hostKey: HOST_KEY, platform: "debian" },
  groups: { postgres: { name: "postgres-clients", gid: 987 }, valkey: { name: "valkey-clients", gid: 986 } },
  postgres: {
    socketDirectory: "/run/postgresql",
    socket: "/run/postgresql/.s.PGSQL.5432",
    port: 5432,
    unit: "postgresql@17-main.service",
    hbaDirectory: "/etc/postgresql/17/main/hba.d",
    versions: { "postgresql-17": "17.6-0+deb13u1" },
  },
  valkey: {
    socketDirectory: "/run/valkey",
    socket: "/run/valkey/valkey.sock",
    port: 6379,
    unit: "valkey-server.service",
    databases: { wiki: 3 },
    versions: { "valkey-server": "8.1.1" },
  },
  caddy: { siteDirectory: "/etc/caddy/sites", unit: "caddy.service", tls: "internal", versions: { caddy: "2.6.2" } },
  authentik: {
    url: "https://auth.example.org",
    issuer: "https://auth.example.org/application/o/",
    uid: 985,
    gid: 985,
  },
};
