/** What differs between distributions: names and places, and how a thing comes to be. Nothing else knows which one it is. */
export interface Distribution {
  /** `ID` and `VERSION_ID` of /etc/os-release; a host that says otherwise is refused. One without a version is rolling. */
  readonly id: string;
  readonly version: string;
  readonly packages: {
    /** Who installs them; the agent has a module of this name. */
    readonly manager: "apt" | "pacman";
    /** The package with the whole of Python 3, which the agent runs on. */
    readonly python: string;
    /** Shell that prints the version of Podman that would be installed; nothing where that is not known. */
    readonly podmanOffered: string;
  };
  readonly postgres: {
    readonly packages: readonly string[];
    readonly unit: string;
    readonly user: string;
    readonly bin: string;
    /** The folder of postgresql.conf, pg_hba.conf and conf.d, apart from the data. */
    readonly config: string;
    /** The cluster itself. */
    readonly data: string;
    readonly cluster: Cluster;
    /** Overrides the package's own tmpfiles.d file for the socket directory. */
    readonly tmpfiles: string;
    readonly socketDirectory: string;
    /** Where the package's tools log to. @default - to the journal alone */
    readonly log?: string;
    /** Lines of [Service] for what the package's own unit lacks. */
    readonly service: readonly string[];
    /** What stops the server. @default - a signal of systemd's */
    readonly stop?: string;
  };
  readonly valkey: {
    readonly packages: readonly string[];
    readonly unit: string;
    readonly user: string;
    readonly config: string;
    readonly socketDirectory: string;
    readonly data: string;
    /** What the package has for logs; the server itself logs to the journal. @default none */
    readonly log?: string;
    /** Overrides the package's own tmpfiles.d file. @default - the package has none for these folders */
    readonly tmpfiles?: string;
    /** Lines of [Service] for what the package's own unit lacks. @default none */
    readonly service?: readonly string[];
  };
  readonly podman: { readonly packages: readonly string[] };
  readonly caddy: {
    readonly packages: readonly string[];
    readonly unit: string;
    readonly user: string;
    readonly config: string;
    /** What it keeps: certificates and its own authority. */
    readonly data: string;
  };
  /** pgBackRest and restic, and what they reach an SFTP server with. */
  readonly backup: { readonly packages: readonly string[]; readonly sftp: readonly string[] };
}

/** How PostgreSQL's first cluster comes to be, and with it who writes postgresql.conf and who starts it at boot. */
export type Cluster =
  | {
      /** The package makes it while it is installed, and has tools of its own for the rest. */
      readonly by: "package";
      /** What it reads for that. */
      readonly defaults: string;
    }
  | {
      /** Whoever wants one makes it. */
      readonly by: "initdb";
    };
