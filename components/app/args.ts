import type { Input, Resource } from "@pulumi/pulumi";
import type { GroupHandle } from "../host/group.ts";
import type { Host } from "../host/host.ts";
import type { Tls } from "../site/site.ts";

/** PostgreSQL as an app sees it: the handle of the same program, or the facts that another stack tells. */
export interface PostgresFacts {
  /** The group whose members reach the socket. */
  readonly clients: GroupHandle;
  /** To wait for, in the program that makes PostgreSQL. @default nothing */
  readonly ready?: readonly Resource[];
}

export interface ContainerArgs {
  /** With its registry, and a version or a digest; `latest` is refused. */
  image: string;
  /** Words behind the image's entry point. @default the image's own */
  command?: string[];
  /** Variables, not secret. @default none */
  environment?: Record<string, string | number | boolean>;
  /**
   * Configuration, not secret, by the path in the container: each is a file that is readable for the app alone. A change
   * shows line by line in a preview, and restarts the app. @default none
   */
  files?: Record<string, string>;
  /**
   * By file name: each is the file /run/secrets/NAME, readable for the app alone. A change restarts the containers that
   * have any. @default none
   */
  secrets?: Record<string, Input<string>>;
  /**
   * Folders in the container, each with the name of the folder below /var/lib/apps/APP that it is. Containers that name
   * the same one share it. @default none
   */
  volumes?: Record<string, string>;
  /** Where it listens, inside, on all addresses. @default - it listens nowhere */
  port?: number;
  /** The port of the host's 127.0.0.1 at which it is reached. @default the same number */
  publish?: number;
  /**
   * What healthy means: a command that succeeds in the container, or a path that answers 2xx at the published port.
   * @default - that it keeps running
   */
  health?: string[] | { http: string };
  /**
   * With it the container is a job: a timer starts it at a calendar expression of systemd's, such as `daily`,
   * `Mon..Fri 03:30` or `*-*-01 04:00:00`, up to a minute later, and it runs to its end. A run that was missed while
   * the host was down is made up for. It has no `port`, `publish` or `health`. @default - it runs all the time
   */
  schedule?: string;
}

export interface AppArgs {
  host: Host;
  /**
   * By name. One is a container alone; several are a pod, and reach each other on 127.0.0.1. Jobs are beside them and do
   * not count. @default - nothing runs, and the app is the files of its site
   */
  containers?: Record<string, ContainerArgs>;
  /**
   * With it the app may use PostgreSQL's socket, as the role of its name in a database that it owns.
   * @default - the socket's group is not the app's, and the socket closed to it
   */
  postgres?: PostgresFacts & {
    /** @default the app's name */
    database?: string;
    /** How many connections the app may hold at a time. @default half of the server's max_connections */
    connections?: number;
  };
  /** With it the app has a Valkey of its own at /run/valkey-APP/valkey.sock, without a password. @default none */
  valkey?: {
    /** Beyond it writes fail. @default no limit but the host's memory */
    maxmemory?: string;
  };
  /** With it Caddy serves the app, or files of its, under a public name. @default - it is reached from the host alone */
  site?: {
    domain: string;
    /** One of the published ports, to which Caddy passes what is asked. @default - `files`; exactly one of both is given */
    port?: number;
    /**
     * The folder below /var/lib/apps/APP that is served as it is: the app writes it and all the world reads it, except
     * what begins with a dot, links and the lists of folders. Containers may have it among their volumes.
     * @default - `port`; exactly one of both is given
     */
    files?: string;
    /** More lines of Caddyfile for this site; what would close it or open another is refused. @default none */
    directives?: string;
    /** As the platform's own sites have it: `platform.caddy.tls` of another stack. @default "acme" */
    tls?: Input<Tls>;
  };
  /**
   * Size of /dev/shm in each container and job, such as `1g`: a limit, of which memory is used as files are written there.
   * Browsers and databases in containers need more than the default. @default Podman's 64 MiB
   */
  shmSize?: string;
  /** Seconds that a start may take until all of it is healthy. @default 120 */
  deadline?: number;
  /**
   * Whether its data goes with it when it is deleted: database and role, volumes, Valkey's data and secrets, each once a
   * copy of it lies in /var/backups/gatehouse. So goes the data of a part that is taken out, such as `valkey`. Needs an
   * `up` of its own before the one that deletes. @default false
   */
  purge?: boolean;
}
