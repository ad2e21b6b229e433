import type { Distribution } from "./distribution.ts";

/** Debian and its derivatives: postgresql-common manages clusters, and Valkey's unit is valkey-server.service. */
const debianOf = (id: string, version: string, postgres: number): Distribution => ({
  id,
  version,
  packages: {
    manager: "apt",
    python: "python3",
    podmanOffered: "apt-cache show --no-all-versions podman 2>/dev/null | sed -n 's/^Version: //p'",
  },
  postgres: {
    packages: [`postgresql-${postgres}`, `postgresql-client-${postgres}`],
    unit: `postgresql@${postgres}-main.service`,
    user: "postgres",
    bin: `/usr/lib/postgresql/${postgres}/bin`,
    config: `/etc/postgresql/${postgres}/main`,
    data: `/var/lib/postgresql/${postgres}/main`,
    cluster: { by: "package", defaults: "/etc/postgresql-common/createcluster.d/gatehouse.conf" },
    tmpfiles: "/etc/tmpfiles.d/postgresql-common.conf",
    socketDirectory: "/run/postgresql",
    log: "/var/log/postgresql",
    // The package starts its tools as root, only to switch to this user.
    service: ["User=postgres", "Group=postgres"],
    stop: "/usr/bin/pg_ctlcluster --skip-systemctl-redirect -m fast %i stop",
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
  // curl tests the TLS handshake of each site.
  caddy: {
    packages: ["caddy", "curl"],
    unit: "caddy.service",
    user: "caddy",
    config: "/etc/caddy",
    data: "/var/lib/caddy",
  },
  backup: { packages: ["pgbackrest", "restic"], sftp: ["openssh-client"] },
});

/** Debian 13 "trixie". */
export const debian = debianOf("debian", "13", 17);

/** Ubuntu 26.04 "Resolute Raccoon", the first LTS release with Podman 5. Not tested on a host. */
export const ubuntu = debianOf("ubuntu", "26.04", 18);
