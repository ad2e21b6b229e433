import type { PlatformFacts } from "../../components/platform/contract.ts";

/** The facts that a platform's stack exports. */
export const platformAt = (port: number, hostKey: string): PlatformFacts => ({
  schemaVersion: 1,
  host: { address: "127.0.0.1", port, hostKey, platform: "debian" },
  groups: { postgres: { name: "postgres-clients", gid: 4321 }, valkey: { name: "valkey-clients", gid: 4322 } },
  postgres: {
    socketDirectory: "/run/postgresql",
    socket: "/run/postgresql/.s.PGSQL.5432",
    port: 5432,
    unit: "postgresql@17-main.service",
    hbaDirectory: "/etc/postgresql/17/main/hba.d",
    versions: {},
  },
  valkey: {
    socketDirectory: "/run/valkey",
    socket: "/run/valkey/valkey.sock",
    port: 6379,
    unit: "valkey-server.service",
    databases: {},
    versions: {},
  },
  caddy: { siteDirectory: "/etc/caddy/sites", unit: "caddy.service", tls: "internal", versions: {} },
  authentik: {
    url: "https://auth.example.org",
    issuer: "https://auth.example.org/application/o/",
    uid: 985,
    gid: 985,
  },
});
