import type { Distribution } from "./distribution.ts";

/**
 * Arch Linux. It has no releases, so no major of PostgreSQL's stands here: the data directory keeps the one it was made
 * with, and a newer server is refused until the operator has upgraded the data.
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
    // Arch keeps it among the data. Here it lies apart: a check is made on a copy of this folder.
    config: "/etc/postgresql",
    data: "/var/lib/postgres/data",
    cluster: { by: "initdb" },
    tmpfiles: "/etc/tmpfiles.d/postgresql.conf",
    socketDirectory: "/run/postgresql",
    service: [
      // The socket's directory is tmpfiles.d's alone: the unit would give it its own group again at each start.
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
      // What Arch's own valkey.conf says, which is replaced: the unit waits to be told that the server is up.
      "ExecStart=",
      "ExecStart=/usr/bin/valkey-server /etc/valkey/valkey.conf --supervised systemd --daemonize no",
      "TimeoutStopSec=infinity",
      "Restart=always",
      "LimitNOFILE=65535",
      "ReadWritePaths=/var/lib/valkey",
      // As strict as Debian's unit is by itself.
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
  // curl asks each site for its handshake.
  caddy: {
    packages: ["caddy", "curl"],
    unit: "caddy.service",
    user: "caddy",
    config: "/etc/caddy",
    data: "/var/lib/caddy",
  },
  backup: { packages: ["pgbackrest", "restic"], sftp: ["openssh"] },
};
