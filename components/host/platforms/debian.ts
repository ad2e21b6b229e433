import type { Platform } from "./platform.ts";

/** Debian 13 "trixie": PostgreSQL clusters by postgresql-common, Valkey as valkey-server.service, Podman 5. */
export const debian: Platform = {
  id: "debian",
  version: "13",
  postgres: {
    packages: ["postgresql-17", "postgresql-client-17"],
    major: 17,
    unit: "postgresql@17-main.service",
    user: "postgres",
    bin: "/usr/lib/postgresql/17/bin",
    config: "/etc/postgresql/17/main",
    data: "/var/lib/postgresql/17/main",
    clusterDefaults: "/etc/postgresql-common/createcluster.d/gatehouse.conf",
    tmpfiles: "/etc/tmpfiles.d/postgresql-common.conf",
    socketDirectory: "/run/postgresql",
  },
  valkey: {
    packages: ["valkey-server", "valkey-tools"],
    unit: "valkey-server.service",
    user: "valkey",
    config: "/etc/valkey",
    socketDirectory: "/run/valkey",
    data: "/var/lib/valkey",
    log: "/var/log/valkey",
  },
  podman: { packages: ["podman", "crun", "netavark", "aardvark-dns", "catatonit", "nftables"] },
  // curl asks each site for its handshake.
  caddy: {
    packages: ["caddy", "curl"],
    unit: "caddy.service",
    user: "caddy",
    config: "/etc/caddy",
    data: "/var/lib/caddy",
  },
  backup: { packages: ["pgbackrest", "restic"], sftp: ["openssh-client"] },
};
