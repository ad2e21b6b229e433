// The stacks with golden files for every rendered file.

import { guardManifest } from "../../components/authentik/guard.ts";
import { authentikManifest } from "../../components/authentik/manifest.ts";
import { asAuthentik, authentikSite } from "../../components/authentik/site.ts";
import { usesValkey } from "../../components/authentik/version.ts";
import { backupManifest, clusterFolder } from "../../components/backup/manifest.ts";
import { caddyManifest } from "../../components/caddy/manifest.ts";
import { settingsSchema } from "../../components/config/schema.ts";
import type { Distribution } from "../../components/distribution/distribution.ts";
import { platforms } from "../../components/distribution/distributions.ts";
import {
  clusterManifest,
  passwordsManifest,
  postgresManifest,
  scramVerifier,
} from "../../components/postgres/manifest.ts";
import { type Site, siteManifest } from "../../components/site/site.ts";
import { valkeyManifest } from "../../components/valkey/manifest.ts";
import type { Manifest } from "../../protocol/manifest.ts";

const HOST = { address: "192.0.2.10", hostKey: "ssh-ed25519 AAAA" };
const GIDS = { postgres: 987, valkey: 986 };

/** Every option, on the newest authentik, with backups on a disk of the host. */
const full = {
  host: HOST,
  postgres: {
    settings: {
      max_connections: 200,
      work_mem: "16MB",
      shared_preload_libraries: "pg_stat_statements",
      log_statement: "ddl",
      "pg_cron.database_name": "wiki",
    },
    databases: { grafana: {}, wiki: { owner: "editors" } },
    roles: { editors: { auth: "scram" }, reporting: { auth: "peer" } },
  },
  valkey: { settings: { maxmemory: "256mb", appendonly: "yes" }, databases: { grafana: 1, wiki: 2 } },
  authentik: {
    domain: "auth.example.org",
    version: "2026.8.3",
    digest: `sha256:${"5".repeat(64)}`,
    port: 9080,
    deadline: 600,
    environment: {
      AUTHENTIK_EMAIL__HOST: "smtp.example.org",
      AUTHENTIK_EMAIL__PORT: 587,
      AUTHENTIK_EMAIL__USE_TLS: true,
      TZ: "Europe/Berlin",
    },
    admin: { email: "operator@example.org" },
    container: {
      LogDriver: "journald",
      Memory: "2g",
      Sysctl: ["net.core.somaxconn=1024", "net.ipv4.tcp_syncookies=1"],
      HostName: "auth",
      AddHost: ["mail.lan:192.0.2.7", "ldap.lan:192.0.2.8"],
      ShmSize: "1g",
      Volume: ["/srv/blueprints:/blueprints/own:ro", "/etc/ssl/certs:/etc/ssl/certs:ro"],
    },
    network: { subnets: ["10.50.0.0/24", "fd00:50::/64"] },
  },
  trustedProxies: ["203.0.113.7", "2400:cb00::/32"],
  caddy: {
    tls: "internal",
    sites: { grafana: { domain: "grafana.example.org", backend: "127.0.0.1:3000", directives: "encode gzip\n\nlog" } },
  },
  backup: { repository: { path: "/srv/backups" }, schedule: "*-*-* 03:30:00", full: 14, keep: 2 },
};
const ACME = "https://ca.example.org/acme/acme/directory";
const small = (version: string, more: object = {}, rest: object = {}) => ({
  host: HOST,
  authentik: { domain: "auth.example.org", version, ...more },
  ...rest,
});

export const CASES: Record<string, object> = {
  full,
  "old-authentik-with-valkey": small("2025.8.4", {}, { valkey: { databases: { authentik: 1 } } }),
  "authentik-without-valkey": small("2025.12.1", {
    valkey: false,
    environment: { AUTHENTIK_WEB__PATH: "/auth/" },
    directives: "header X-Line one",
  }),
  acme: small("2026.5.6", {}, { caddy: { email: "ops@example.org", acmeDirectory: ACME } }),
  "backup-over-sftp": small(
    "2026.8.3",
    {},
    {
      backup: {
        repository: {
          sftp: {
            address: "198.51.100.9",
            port: 2222,
            user: "gatehouse",
            hostKey: "ecdsa-sha2-nistp256 AAAA",
            path: "/srv/backups",
          },
        },
      },
    },
  ),
  "backup-in-a-bucket": small(
    "2026.8.3",
    {},
    { backup: { repository: { s3: { endpoint: "s3.example.org:9000", bucket: "backups", keyId: "AKIAEXAMPLE" } } } },
  ),
};

/** The secret values of a case, by its name. */
export const SECRETS: Record<string, Record<string, string>> = {
  "backup-over-sftp": {
    backupKey: "-----BEGIN OPENSSH PRIVATE KEY-----\nthe key for the backups\n-----END OPENSSH PRIVATE KEY-----\n",
  },
  "backup-in-a-bucket": { backupKey: "the secret of the bucket's key" },
};

/** The same stack on another platform. */
export const stackOn = ({ id }: Distribution, stack: object) => ({
  ...stack,
  host: { ...HOST, platform: id },
});

export interface Parts {
  cluster: Manifest;
  postgres: Manifest;
  passwords: Manifest;
  valkey: Manifest;
  guard: Manifest;
  authentik: Manifest;
  caddy: Manifest;
  sites: Record<string, Manifest>;
  /** Only if backups are configured. */
  backup?: Manifest;
}

/**
 * The manifests that index.ts creates from a configuration, through the same pure functions, with the answers of a
 * host.
 */
export function partsOf(configuration: object): Parts {
  const settings = settingsSchema.parse(configuration);
  const platform = platforms[settings.host.platform];
  const given = { ...settings.postgres, databases: { ...settings.postgres.databases, authentik: { clients: [] } } };
  const applications = Object.keys(settings.valkey.databases).sort();
  const generations = Object.fromEntries(["gatehouse", ...applications].map((user, number) => [user, number + 1]));
  const scram = Object.entries(given.roles).filter(([, { auth }]) => auth === "scram");
  const salt = Buffer.from("salt of the test");
  const authentik = authentikSite(settings.authentik);
  const others = Object.entries(settings.caddy.sites).map(([name, site]) => [name, asAuthentik(site, authentik)]);
  const sites: Record<string, Site> = { ...Object.fromEntries(others), authentik };
  return {
    cluster: clusterManifest(platform.postgres) ?? {},
    postgres: postgresManifest(
      platform.postgres,
      "postgres-clients",
      given,
      settings.backup && clusterFolder(settings.backup.repository),
    ),
    passwords: passwordsManifest(
      platform.postgres,
      Object.fromEntries(scram.map(([role]) => [role, scramVerifier(`password of ${role}`, salt)])),
    ),
    valkey: valkeyManifest(platform.valkey, {
      ...settings.valkey,
      clientsGroup: "valkey-clients",
      applications,
      generations,
    }),
    guard: guardManifest(),
    authentik: authentikManifest(platform.postgres, {
      ...settings.authentik,
      uid: 985,
      gid: 984,
      postgres: { ...platform.postgres, port: 5432, gid: GIDS.postgres },
      valkey: settings.authentik.valkey ? { ...platform.valkey, gid: GIDS.valkey } : undefined,
      migrates: true,
      trustedProxies: settings.trustedProxies,
      secretVariables: settings.authentik.digest ? ["AUTHENTIK_EMAIL__PASSWORD"] : [],
      secrets: "/var/lib/gatehouse/secrets/authentik-secrets/4",
      refers: usesValkey(settings.authentik.version) ? ["/var/lib/gatehouse/secrets/valkey-authentik/2"] : [],
    }),
    caddy: caddyManifest(platform.caddy, { ...settings.caddy, trustedProxies: settings.trustedProxies }),
    sites: Object.fromEntries(
      Object.entries(sites).map(([name, site]) => [name, siteManifest(platform.caddy, settings.caddy.tls, name, site)]),
    ),
    ...(settings.backup && { backup: backupManifest(platform.postgres, { ...settings.backup, generation: 5 }) }),
  };
}

export const manifestsOf = ({ sites, ...parts }: Parts): Manifest[] => [
  ...Object.values(parts),
  ...Object.values(sites),
];
