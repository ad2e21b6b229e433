/** What differs between distributions: names and places, and nothing else. */
export interface Platform {
  /** `ID` and `VERSION_ID` of /etc/os-release; a host that says otherwise is refused. */
  readonly id: string;
  readonly version: string;
  readonly postgres: {
    readonly packages: readonly string[];
    readonly major: number;
    readonly unit: string;
    readonly user: string;
    readonly bin: string;
    /** The folder of postgresql.conf, pg_hba.conf and conf.d. */
    readonly config: string;
    /** The cluster itself. */
    readonly data: string;
    /** Read by the package when it makes the first cluster. */
    readonly clusterDefaults: string;
    /** Overrides the package's own tmpfiles.d file for the socket directory. */
    readonly tmpfiles: string;
    readonly socketDirectory: string;
  };
  readonly valkey: {
    readonly packages: readonly string[];
    readonly unit: string;
    readonly user: string;
    readonly config: string;
    readonly socketDirectory: string;
    readonly data: string;
    readonly log: string;
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
