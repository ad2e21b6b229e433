/** Differences between distributions: names, paths and mechanisms. No other code depends on the distribution. */
export interface Distribution {
  /**
   * `ID` and `VERSION_ID` of /etc/os-release; a host with other values is refused. `rolling` for one without versions.
   */
  readonly id: string;
  /** See `id`. */
  readonly version: string;
  /** The package manager, and the packages that the agent needs. */
  readonly packages: {
    /** The package manager; the agent has a module of this name. */
    readonly manager: "apt" | "pacman";
    /** The package with the complete Python 3, which the agent needs. */
    readonly python: string;
    /** Shell code that prints the version of Podman that would be installed; nothing if it is unknown. */
    readonly podmanOffered: string;
  };
  /** Packages, unit and folders of PostgreSQL. */
  readonly postgres: {
    readonly packages: readonly string[];
    readonly unit: string;
    readonly user: string;
    readonly bin: string;
    /** Directory of postgresql.conf, pg_hba.conf and conf.d, separate from the data. */
    readonly config: string;
    /** Data directory of the cluster. */
    readonly data: string;
    readonly cluster: Cluster;
    /** Overrides the package's own tmpfiles.d file for the socket directory. */
    readonly tmpfiles: string;
    readonly socketDirectory: string;
    /** Log directory of the tools in the package. @default - they only log to the journal */
    readonly log?: string;
    /** Lines of [Service] that the package's own unit lacks. */
    readonly service: readonly string[];
    /** Command that stops the server. @default - a signal from systemd */
    readonly stop?: string;
    /** How `user` reaches the server as its superuser. @default - over the socket */
    readonly superuser?: Superuser;
  };
  /** Packages, unit and folders of Valkey. */
  readonly valkey: {
    readonly packages: readonly string[];
    readonly unit: string;
    readonly user: string;
    readonly config: string;
    readonly socketDirectory: string;
    readonly data: string;
    /** The package's log directory; the server itself logs to the journal. @default none */
    readonly log?: string;
    /** Overrides the package's own tmpfiles.d file. @default - the package has none for these folders */
    readonly tmpfiles?: string;
    /** Lines of [Service] that the package's own unit lacks. @default none */
    readonly service?: readonly string[];
  };
  /** Packages of Podman. */
  readonly podman: { readonly packages: readonly string[] };
  /** Packages, unit and folders of Caddy. */
  readonly caddy: {
    readonly packages: readonly string[];
    readonly unit: string;
    readonly user: string;
    readonly config: string;
    /** Data directory: certificates and Caddy's own authority. */
    readonly data: string;
  };
  /** The packages for pgBackRest and restic, and those for an SFTP server. */
  readonly backup: { readonly packages: readonly string[]; readonly sftp: readonly string[] };
}

/** How PostgreSQL's first cluster is created, which also decides what writes postgresql.conf and starts it at boot. */
export type Cluster =
  | {
      /** The package creates it during its installation, and has its own tools for the rest. */
      readonly by: "package";
      /** File that the package reads for this. */
      readonly defaults: string;
    }
  | {
      /** gatehouse creates it with initdb. */
      readonly by: "initdb";
    }
  | {
      /** Patroni creates it on one host of a cluster, and copies it to the others. */
      readonly by: "patroni";
      /** File that keeps the package from creating another one. */
      readonly defaults: string;
      /** Files with which its members prove who they are to each other. */
      readonly proof: { readonly certificate: string; readonly key: string; readonly trust: string };
      /** The hosts of the cluster. */
      readonly hosts: readonly { readonly name: string; readonly network: string }[];
    };

/** A connection of libpq. */
export interface Superuser {
  /** The group that may read the key, with which the server's account runs psql. */
  readonly group: string;
  /** As in `psql --host`. */
  readonly host: string;
  /** Further variables of libpq, each as NAME=VALUE. */
  readonly environment: readonly string[];
}
