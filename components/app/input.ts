// Generated from the schema by `npm run schema`.
import type { Input } from "@pulumi/pulumi";

/** Settings as they are given: what has a default may be left out. */
export interface AppInput {
  /**
   * Containers by name. A single one runs alone; several share a pod and reach each other on 127.0.0.1. Jobs run
   * outside the pod and are not counted. Without it, the app consists of the files of its site.
   * @default {}
   */
  containers?: Record<
    string,
    {
      /**
       * Image with its registry and a version or a digest; `latest` is refused.
       * @example "docker.io/grafana/grafana:12.3.0"
       */
      image: Input<string>;
      /**
       * Arguments for the image's entry point. Without it, the image's own.
       * @default []
       * @example ["serve","--verbose"]
       */
      command?: Input<Input<string>[]>;
      /**
       * Environment variables, not secret.
       * @default {}
       * @example {"GF_DATABASE_HOST":"/run/postgresql"}
       */
      environment?: Input<Record<string, Input<string | number | boolean>>>;
      /**
       * Configuration files, not secret, by path in the container. Only the app can read them. A change is shown line
       * by line in a preview, and restarts the app.
       * @default {}
       * @example {"/etc/wiki.conf":"mode = plain\n"}
       */
      files?: Input<Record<string, Input<string>>>;
      /**
       * Directories in the container, each with the name of its directory below /var/lib/apps/APP. Containers that use
       * the same name share the directory. `{ host }` instead of a name is a directory or file of the host, which must
       * exist: gatehouse never changes its owner, its mode or its contents, the container waits until it is mounted,
       * and only with `backup` is it in the backup. It is refused if another account than root could replace it with a
       * link.
       * @default {}
       * @example {"/var/lib/grafana":"data","/photos":{"host":"/mnt/photos","readOnly":true}}
       */
      volumes?: Input<
        Record<
          string,
          Input<
            | string
            | {
                host: Input<string>;
                /**
                 * @default false
                 */
                readOnly?: Input<boolean>;
                /**
                 * @default false
                 */
                backup?: Input<boolean>;
              }
          >
        >
      >;
      /**
       * Port on which it listens inside the container, on all addresses. Without it, it does not listen.
       * @example 3000
       */
      port?: Input<number>;
      /**
       * Port on the host's 127.0.0.1 at which it is published. Without it, the same number as `port`.
       * @example 9500
       */
      publish?: Input<number>;
      /**
       * Further ports, each `port` inside the container, `publish` on the host (the same number by default),
       * `protocol` tcp or udp, and `address`: by default 127.0.0.1, or an IPv4 address of the host, or `*` for all of
       * them. Other machines reach the last two; the plan says so, and the policy pack refuses them unless
       * `policy.ports` contains them.
       * @default []
       * @example [{"port":22,"publish":2222,"address":"*"}]
       */
      ports?: Input<
        Input<{
          /**
           * Port on which the container listens.
           */
          port: Input<number>;
          /**
           * Port of the host. Without it, the same number as `port`.
           */
          publish?: Input<number>;
          /**
           * @default "tcp"
           */
          protocol?: Input<"tcp" | "udp">;
          /**
           * @default "127.0.0.1"
           */
          address?: Input<string>;
        }>[]
      >;
      /**
       * Health check: a command that succeeds in the container, a path that returns 2xx at the published `port`, or a
       * port inside the container that is published and accepts connections. Without it, the container is healthy
       * while it runs.
       * @example {"http":"/api/health"}
       */
      health?: Input<
        | Input<string>[]
        | {
            http: Input<string>;
          }
        | {
            tcp: Input<number>;
          }
      >;
      /**
       * Keys of a Quadlet's [Container] section; a list for a key that occurs several times. Podman checks them before
       * they go live. Allowed are AddCapability, AddDevice, AddHost, Annotation, DNS, DNSOption, DNSSearch,
       * Entrypoint, HostName, Label, LogDriver, LogOpt, PidsLimit, ReadOnly, ReadOnlyTmpfs, RunInit, StopSignal,
       * StopTimeout, Sysctl, Timezone, Tmpfs, Ulimit, WorkingDir. AddHost, DNS, DNSOption, DNSSearch, HostName and a
       * Sysctl of the network, of containers that share a pod, are set on the pod. AddCapability and AddDevice open
       * something to the container, and the plan names it.
       * @default {}
       * @example {"ReadOnly":true,"Tmpfs":["/tmp:size=64m"],"Ulimit":"nofile=65536:65536","AddHost":["mail.lan:192.0.2.7"]}
       */
      quadlet?: Input<Record<string, Input<string | number | boolean | Input<string | number | boolean>[]>>>;
      /**
       * Memory limit, above which the kernel ends processes of the container. Without it, the host's memory.
       * @example "512m"
       */
      memory?: Input<string>;
      /**
       * Processors that it may use at once. Without it, all.
       * @example 1.5
       */
      cpus?: Input<number>;
      /**
       * Makes the container a job: a timer starts it at a systemd calendar expression, up to a minute later, and it
       * runs to its end. A run that was missed while the host was down runs later. A job has no `port`, `publish` or
       * `health`. Without it, the container runs permanently.
       * @example "Mon..Fri 03:30"
       */
      schedule?: Input<string>;
      /**
       * Secrets by file name: each is the file /run/secrets/NAME, which only the app can read. `generated`: a password
       * of 48 letters and digits. `configured`: the value of `appSecrets.APP.NAME`. Containers that use the same name
       * share the secret.
       * @default {}
       * @example {"session-key":"generated","smtp-password":"configured"}
       */
      secrets?: Record<string, "generated" | "configured">;
      /**
       * Secret environment variables, `generated` or `configured` like `secrets`, for an image that cannot read a
       * secret from a file. They reach the container through Podman's secrets: no unit file, argument list or `podman
       * inspect` contains them.
       * @default {}
       * @example {"SMTP_PASSWORD":"configured"}
       */
      secretEnvironment?: Record<string, "generated" | "configured">;
    }
  >;
  /**
   * Access to PostgreSQL's socket, as the role with the app's name in a database that the role owns. Without it, the
   * app is not in the group of the socket.
   * @example {}
   */
  postgres?: {
    /**
     * Name of the database, which the role with the app's name owns. Without it, the app's name.
     * @example "boards"
     */
    database?: Input<string>;
    /**
     * Maximum number of concurrent connections to PostgreSQL. Without it, half of max_connections.
     * @example 20
     */
    connections?: Input<number>;
  };
  /**
   * A public name, under which Caddy serves the app or its files. Without it, only the host can reach it.
   * @example {"domain":"grafana.example.org","port":3000}
   */
  site?: {
    /**
     * Public domain name of the app.
     * @example "grafana.example.org"
     */
    domain: Input<string>;
    /**
     * One of the published ports, to which Caddy forwards requests. Set exactly one of `port` and `files`.
     * @example 3000
     */
    port?: Input<number>;
    /**
     * Directory below /var/lib/apps/APP that is served as static files. The app writes it, and its files are public,
     * except names that begin with a dot, symlinks and directory listings. Containers may use it as a volume.
     * @example "public"
     */
    files?: Input<string>;
    /**
     * Additional Caddyfile lines for the site; lines that close its block or open another are refused.
     * @default ""
     */
    directives?: Input<string>;
    /**
     * Issuer of the certificate, as in `caddy.tls`. Without it, the same as for the other sites.
     * @example "internal"
     */
    tls?: Input<"acme" | "internal">;
  };
  /**
   * A Valkey for the app only, at /run/valkey-APP/valkey.sock, without a password.
   * @example {"maxmemory":"64mb"}
   */
  valkey?: Input<{
    /**
     * Memory limit, above which writes fail. Without it, no limit except the host's memory.
     * @example "64mb"
     */
    maxmemory?: Input<string>;
  }>;
  /**
   * Size of /dev/shm in each container and job. It is a limit: memory is used only as files are written. Browsers and
   * databases in containers need more than Podman's 64 MiB, which apply without it.
   * @example "1g"
   */
  shmSize?: Input<string>;
  /**
   * Time until all parts must be healthy after a start. In seconds.
   * @default 120
   */
  deadline?: Input<number>;
  /**
   * Whether deleting the app also deletes its data: database and role, volumes, Valkey data and secrets, each after a
   * copy has been written to /var/backups/gatehouse. The same applies to the data of a part that is removed, such as
   * `valkey`. Requires an `up` before the one that deletes.
   * @default false
   */
  purge?: Input<boolean>;
  /**
   * Increase it by one to generate every generated secret again.
   * @default 1
   */
  rotation?: Input<number>;
}
