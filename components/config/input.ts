// Generated from the schema by `npm run schema`.
import type { Input } from "@pulumi/pulumi";
import type { AppInput } from "../app/input.ts";
import type { AuthentikInput } from "../authentik/input.ts";
import type { BackupInput } from "../backup/input.ts";
import type { CaddyInput } from "../caddy/input.ts";
import type { PostgresInput } from "../postgres/input.ts";
import type { ValkeyInput } from "../valkey/input.ts";

/** Settings as they are given: what has a default may be left out. */
export interface SettingsInput {
  /**
   * The host, and how to connect to it over SSH.
   * @example {"address":"192.0.2.10","user":"deploy","sudo":true,"hostKey":"ssh-ed25519 AAAA..."}
   */
  host: {
    /**
     * IP address or host name.
     * @example "192.0.2.10"
     */
    address: Input<string>;
    /**
     * Port of sshd.
     * @default 22
     */
    port?: Input<number>;
    /**
     * User to log in as.
     * @default "root"
     */
    user?: Input<string>;
    /**
     * Public host key; no other key is trusted.
     * @example "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI..."
     */
    hostKey: Input<string>;
    /**
     * Whether to run everything through `sudo -n`, for a user with passwordless sudo.
     * @default false
     */
    sudo?: Input<boolean>;
    /**
     * Seconds that an update waits for sshd to accept the login, and for cloud-init to finish if the host has it: for
     * a server that the same program creates. A preview does not wait.
     * @default 0
     * @example 300
     */
    wait?: Input<number>;
    /**
     * Jump host, which uses the same SSH private key. Without it, the connection is direct.
     * @example {"address":"198.51.100.7","user":"deploy","hostKey":"ssh-ed25519 AAAA..."}
     */
    proxy?: {
      /**
       * IP address or host name.
       * @example "192.0.2.10"
       */
      address: Input<string>;
      /**
       * Port of sshd.
       * @default 22
       */
      port?: Input<number>;
      /**
       * User to log in as.
       * @default "root"
       */
      user?: Input<string>;
      /**
       * Public host key; no other key is trusted.
       * @example "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI..."
       */
      hostKey: Input<string>;
    };
    /**
     * Whether the host no longer exists. With this setting, `pulumi destroy --run-program` removes its resources from
     * the state without connecting to it.
     * @default false
     */
    abandoned?: boolean;
    /**
     * Objects on the host that gatehouse takes over although it did not create them, each as kind and name. If any
     * other object has a name that the stack uses, the `up` is refused before anything is changed. `stack
     * PROJECT/STACK` moves the releases of that stack to this one.
     * @default []
     * @example ["account authentik","unit caddy.service","file /etc/caddy/Caddyfile","stack gatehouse/old"]
     */
    takeOver?: string[];
    /**
     * Distribution of the host; checked against its /etc/os-release.
     * @default "debian"
     */
    platform?: "debian" | "ubuntu" | "arch";
  };
  /**
   * Whether each run first checks the host for drift, in one read-only SSH session.
   * @default true
   */
  drift?: boolean;
  /**
   * @default {"settings":{},"databases":{},"roles":{}}
   */
  postgres?: PostgresInput;
  /**
   * @default {"settings":{},"databaseCount":16,"rotation":1,"databases":{}}
   */
  valkey?: ValkeyInput;
  authentik: AuthentikInput;
  /**
   * @default {"tls":"acme","sites":{}}
   */
  caddy?: CaddyInput;
  /**
   * Apps beside the platform, by name: containers, jobs or files with the parts of the platform that they use
   * (service-integration-guide.md).
   * @default {}
   */
  apps?: Record<string, AppInput>;
  /**
   * Proxies in front of Caddy, as addresses or networks. Only their X-Forwarded-For header (the address of the client)
   * and other X-Forwarded headers are trusted. Applies to Caddy, for every site, and to authentik.
   * @default []
   */
  trustedProxies?: Input<Input<string>[]>;
  /**
   * Backups of PostgreSQL and of all folders with data. Without it, there are no backups.
   * @example {"repository":{"path":"/srv/backups"}}
   */
  backup?: BackupInput;
  /**
   * @default {"requireDigest":false,"ports":[]}
   */
  policy?: {
    /**
     * Whether images without a digest are refused: authentik's by every `up` and preview, those of apps by the policy
     * pack. Otherwise the policy pack only recommends a digest.
     * @default false
     */
    requireDigest?: Input<boolean>;
    /**
     * Ports of containers that other machines may reach, as `ADDRESS:PORT/PROTOCOL`, with `*` for all addresses. The
     * policy pack refuses any other.
     * @default []
     * @example ["*:2222/tcp"]
     */
    ports?: Input<Input<string>[]>;
  };
}
