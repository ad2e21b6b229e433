import type { Distribution } from "./distribution.ts";

/**
 * Arch Linux. It has no releases, so this does not set a major version of PostgreSQL: the data directory keeps the
 * version that created it, and a newer server is refused until the operator has upgraded the data.
 */
export const arch: Distribution = {
  id: "arch",
  version: "rolling",
  packages: {
    manager: "pacman",
    python: "python",
    podmanOffered: "LANG=C pacman -Si podman 2>/dev/null | sed -n 's/^Version *: //p'",
  },
  postgres: {
    packages: ["postgresql"],
    unit: "postgresql.service",
    user: "postgres",
    bin: "/usr/bin",
    // Arch keeps it in the data directory. Here it is separate, because a check works on a copy of this directory.
    config: "/etc/postgresql",
    data: "/var/lib/postgres/data",
    cluster: { by: "initdb" },
    tmpfiles: "/etc/tmpfiles.d/postgresql.conf",
    socketDirectory: "/run/postgresql",
    service: [
      // Only tmpfiles.d manages the socket's directory: the unit would reset its group at each start.
      "RuntimeDirectory=",
      "ExecStart=",
      "ExecStart=/usr/bin/postgres -D /var/lib/postgres/data -c config_file=/etc/postgresql/postgresql.conf",
    ],
  },
  valkey: {
    packages: ["valkey"],
    unit: "valkey.service",
    user: "valkey",
    config: "/etc/valkey",
    socketDirectory: "/run/valkey",
    data: "/var/lib/valkey",
    tmpfiles: "/etc/tmpfiles.d/valkey.conf",
    service: [
      // As in Arch's own valkey.conf, which is replaced: the unit waits until the server reports that it is up.
      "ExecStart=",
      "ExecStart=/usr/bin/valkey-server /etc/valkey/valkey.conf --supervised systemd --daemonize no",
      "TimeoutStopSec=infinity",
      "Restart=always",
      "LimitNOFILE=65535",
      "ReadWritePaths=/var/lib/valkey",
      // The same restrictions as in Debian's own unit.
      "CapabilityBoundingSet=",
      "LockPersonality=true",
      "MemoryDenyWriteExecute=true",
      "NoNewPrivileges=true",
      "PrivateDevices=true",
      "PrivateTmp=true",
      "PrivateUsers=true",
      "ProtectClock=true",
      "ProtectControlGroups=true",
      "ProtectHome=true",
      "ProtectHostname=true",
      "ProtectKernelLogs=true",
      "ProtectKernelModules=true",
      "ProtectKernelTunables=true",
      "ProtectProc=invisible",
      "RemoveIPC=true",
      "RestrictNamespaces=true",
      "RestrictRealtime=true",
      "RestrictSUIDSGID=true",
      "SystemCallArchitectures=native",
      "SystemCallFilter=@system-service",
      "SystemCallFilter=~ @privileged @resources",
      "NoExecPaths=/",
      "ExecPaths=/usr/bin/valkey-server /usr/lib /lib",
    ],
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
  backup: { packages: ["pgbackrest", "restic"], sftp: ["openssh"] },
};
