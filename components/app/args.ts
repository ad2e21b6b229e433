import type { Input, Resource } from "@pulumi/pulumi";
import type { GroupHandle } from "../host/group.ts";
import type { Host } from "../host/host.ts";
import type { Tls } from "../site/site.ts";

/** PostgreSQL for an app: the handle from the same program, or the facts from another stack. */
export interface PostgresFacts {
  /** Members of this group can open the socket. */
  readonly clients: GroupHandle;
  /** Resources to wait for, in the program that declares PostgreSQL. @default nothing */
  readonly ready?: readonly Resource[];
}

/** One container or job of an app. */
export interface ContainerArgs {
  /** Image with its registry and a version or a digest; `latest` is refused. */
  image: Input<string>;
  /** Arguments for the image's entry point. @default the image's own */
  command?: Input<Input<string>[]>;
  /** Environment variables, not secret. @default none */
  environment?: Input<Record<string, Input<string | number | boolean>>>;
  /**
   * Configuration files, not secret, by path in the container. Only the app can read them. A change is shown line by
   * line in a preview, and restarts the app. @default none
   */
  files?: Input<Record<string, Input<string>>>;
  /**
   * Secrets by file name: each is the file /run/secrets/NAME, which only the app can read. A change restarts the
   * containers that have secrets. @default none
   */
  secrets?: Record<string, Input<string>>;
  /**
   * Secret environment variables, for an image that cannot read a secret from a file. They reach the container through
   * Podman's secrets: no unit file, argument list or `podman inspect` contains them. @default none
   */
  secretEnvironment?: Record<string, Input<string>>;
  /**
   * Directories in the container, each with the name of its directory below /var/lib/apps/APP. Containers that use the
   * same name share the directory. `{ host }` is a directory or file of the host, which must exist and is never changed;
   * it is in the backup only with `backup`. @default none
   */
  volumes?: Input<
    Record<string, Input<string | { host: Input<string>; readOnly?: Input<boolean>; backup?: Input<boolean> }>>
  >;
  /** Port on which it listens inside the container, on all addresses. @default - it does not listen */
  port?: Input<number>;
  /** Port on the host's 127.0.0.1 at which it is published. @default the same number */
  publish?: Input<number>;
  /**
   * Further ports. `address` is an IPv4 address of the host, or `*` for all of them; other machines reach these. The
   * plan says so, and the policy pack refuses them unless `policy.ports` contains them.
   * @default none
   */
  ports?: Input<
    Input<{
      /** Inside the container. */
      port: Input<number>;
      /** On the host. @default the same number */
      publish?: Input<number>;
      /** @default "tcp" */
      protocol?: Input<"tcp" | "udp">;
      /** @default "127.0.0.1" */
      address?: Input<string>;
    }>[]
  >;
  /**
   * Health check: a command that succeeds in the container, a path that returns 2xx at the published port, or a
   * published port inside the container that accepts connections.
   * @default - the container keeps running
   */
  health?: Input<Input<string>[] | { http: Input<string> } | { tcp: Input<number> }>;
  /**
   * Keys of a Quadlet's [Container] section, such as `Tmpfs`, `ReadOnly`, `Ulimit` or `AddHost`; a list for a key that
   * occurs several times. Those that containers of a pod share are set on the pod. @default none
   */
  quadlet?: Input<Record<string, Input<string | number | boolean | Input<string | number | boolean>[]>>>;
  /** Memory limit such as `512m`, above which the kernel ends processes of the container. @default the host's memory */
  memory?: Input<string>;
  /** Processors that it may use at once. @default all */
  cpus?: Input<number>;
  /**
   * Makes the container a job: a timer starts it at a systemd calendar expression, such as `daily`, `Mon..Fri 03:30` or
   * `*-*-01 04:00:00`, up to a minute later, and it runs to its end. A run that was missed while the host was down runs
   * later. A job has no `port`, `publish` or `health`. @default - the container runs permanently
   */
  schedule?: Input<string>;
}

/** What an app consists of, and what it may use. Each part that is left out does not exist on the host. */
export interface AppArgs {
  /** The host that it runs on, with the platform or without. */
  host: Host;
  /** Name of the app on the host: of its account, its database and its folders. @default - the name of the resource */
  appName?: string;
  /**
   * Containers by name. A single one runs alone; several share a pod and reach each other on 127.0.0.1. Jobs run
   * outside the pod and are not counted. @default - none; the app consists of the files of its site
   */
  containers?: Record<string, ContainerArgs>;
  /**
   * Access to PostgreSQL's socket, as the role with the app's name in a database that the role owns.
   * @default - no access: the app is not in the group of the socket
   */
  postgres?: PostgresFacts & {
    /** @default the app's name */
    database?: Input<string>;
    /** Maximum number of concurrent connections. @default half of max_connections */
    connections?: Input<number>;
  };
  /** A Valkey for the app only, at /run/valkey-APP/valkey.sock, without a password. @default none */
  valkey?: Input<{
    /** Memory limit, above which writes fail. @default no limit except the host's memory */
    maxmemory?: Input<string>;
  }>;
  /** A public name, under which Caddy serves the app or its files. @default - only the host can reach the app */
  site?: Input<{
    domain: Input<string>;
    /** One of the published ports, to which Caddy forwards requests. @default - `files`; set exactly one of the two */
    port?: Input<number>;
    /**
     * Directory below /var/lib/apps/APP that is served as static files. The app writes it, and its files are public,
     * except names that begin with a dot, symlinks and directory listings. Containers may use it as a volume.
     * @default - `port`; set exactly one of the two
     */
    files?: Input<string>;
    /** More Caddyfile lines for this site; lines that close its block or open another are refused. @default none */
    directives?: Input<string>;
    /**
     * Issuer of the certificate. Use `platform.caddy.tls` of another stack for the same one as the platform.
     * @default "acme"
     */
    tls?: Input<Tls>;
  }>;
  /**
   * Size of /dev/shm in each container and job, such as `1g`. It is a limit: memory is used only as files are written.
   * Browsers and databases in containers need more than the default. @default Podman's 64 MiB
   */
  shmSize?: Input<string>;
  /** Seconds until all parts must be healthy after a start. @default 120 */
  deadline?: Input<number>;
  /**
   * Whether deleting the app also deletes its data: database and role, volumes, Valkey data and secrets, each after a
   * copy has been written to /var/backups/gatehouse. The same applies to the data of a part that is removed, such as
   * `valkey`. Requires an `up` before the one that deletes. @default false
   */
  purge?: Input<boolean>;
}
