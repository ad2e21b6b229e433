// Generated from the schema by `npm run schema`.
import type { Input } from "@pulumi/pulumi";

/** Settings as they are given: what has a default may be left out. */
export interface AuthentikInput {
  /**
   * Public domain name of authentik, without scheme.
   * @example "auth.example.org"
   */
  domain: Input<string>;
  /**
   * Exact version, which is also the tag of the image. Versions up to 2025.8 use Valkey.
   * @example "2026.8.3"
   */
  version: Input<string>;
  /**
   * Whether `version` may be lower than the one on the host, by one series at most. authentik does not support this:
   * an older version may not start with the migrated database, or lose data. Without it, such an `up` is refused.
   * @default false
   */
  allowDowngrade?: Input<boolean>;
  /**
   * Image, without the tag.
   * @default "ghcr.io/goauthentik/server"
   */
  image?: Input<string>;
  /**
   * Digest that the image must have. Without it, only the tag is used.
   * @example "sha256:0000000000000000000000000000000000000000000000000000000000000000"
   */
  digest?: Input<string>;
  /**
   * Increase it by one to generate a new secret key, which ends all sessions.
   * @default 1
   */
  rotation?: Input<number>;
  /**
   * Whether the pod gets Valkey's client group and socket. Versions up to 2025.8 need them.
   * @default true
   */
  valkey?: boolean;
  /**
   * Port on the loopback interface of the host, for Caddy.
   * @default 9000
   */
  port?: Input<number>;
  /**
   * Network that only the authentik pod uses.
   * @default {"subnets":[]}
   */
  network?: Input<{
    /**
     * Subnets of the pod network: one for IPv4, and optionally one for IPv6. Without it, Podman chooses a free subnet.
     * @default []
     * @example ["10.50.0.0/24","fd00:50::/64"]
     */
    subnets?: Input<Input<string>[]>;
  }>;
  /**
   * First administrator of a new authentik. The password is generated (output `administrator`) unless authentikSecrets
   * contains one.
   * @default {}
   * @example {"email":"operator@example.org"}
   */
  admin?: Input<{
    /**
     * E-mail address of the first administrator, akadmin. Without it, authentik uses its own example address.
     * @example "operator@example.org"
     */
    email?: Input<string>;
  }>;
  /**
   * Additional Caddyfile lines for the site of authentik, such as your own certificate.
   * @default ""
   * @example "tls /etc/caddy/auth.pem /etc/caddy/auth.key"
   */
  directives?: Input<string>;
  /**
   * Seconds from a start until authentik must be ready. The first start runs all migrations.
   * @default 900
   */
  deadline?: Input<number>;
  /**
   * Additional environment variables for server and worker, not secret: settings of authentik that the platform does
   * not set itself, and SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE, HTTP_PROXY, HTTPS_PROXY,
   * ALL_PROXY, NO_PROXY, TZ.
   * @default {}
   * @example {"AUTHENTIK_EMAIL__HOST":"smtp.example.org","TZ":"Europe/Berlin"}
   */
  environment?: Input<Record<string, Input<string | number | boolean>>>;
  /**
   * Additional keys for the [Container] section of both Quadlets; use a list for a key that occurs several times. Keys
   * that server and worker share are set on their pod: AddHost, DNS, DNSOption, DNSSearch, HostName, IP, IP6 and
   * ShmSize (the size of /dev/shm, 512m by default). Podman checks the keys before they go live.
   * @default {}
   * @example {"LogDriver":"journald","AddHost":["mail.lan:192.0.2.7","ldap.lan:192.0.2.8"],"Volume":["/srv/authentik/blueprints:/blueprints/own:ro","/etc/ssl/certs:/etc/ssl/certs:ro"]}
   */
  container?: Input<Record<string, Input<string | number | boolean | Input<string | number | boolean>[]>>>;
}
