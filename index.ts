// Wires the platform's components together.
import { getStack } from "@pulumi/pulumi";
import { Authentik } from "./components/authentik/authentik.ts";
import { Backup } from "./components/backup/backup.ts";
import { clusterFolder, placeOf } from "./components/backup/manifest.ts";
import { Caddy } from "./components/caddy/caddy.ts";
import { load } from "./components/config/load.ts";
import { inspect } from "./components/connection/inspect.ts";
import { inspectionMode } from "./components/connection/inspection-mode.ts";
import { platforms } from "./components/distribution/distributions.ts";
import { Host } from "./components/host/host.ts";
import { platformOf } from "./components/platform/producer.ts";
import { readmeOf } from "./components/platform/readme.ts";
import { Postgres } from "./components/postgres/postgres.ts";
import { Registries } from "./components/registries/registries.ts";
import { quiet } from "./components/sdk/quiet.ts";
import { Valkey } from "./components/valkey/valkey.ts";

quiet();

const {
  sshKey,
  authentikSecrets,
  registries: registryLogins,
  backupKey,
  backupPassphrase,
  drift,
  ...settings
} = load();
const connection = { ...settings.host, privateKey: sshKey };
const { abandoned } = settings.host;
const mode = inspectionMode(drift && !abandoned);
const expectations = {
  platform: platforms[settings.host.platform],
  gids: { "postgres-clients": settings.postgres.gid, "valkey-clients": settings.valkey.gid },
};
const facts = mode === "off" ? undefined : await inspect(connection, expectations, mode);
const host = new Host("host", { connection, ...expectations, abandoned, takeOver: settings.host.takeOver, facts });

const postgres = new Postgres("postgres", {
  host,
  ...settings.postgres,
  repository: settings.backup && clusterFolder(settings.backup.repository),
  databases: { ...settings.postgres.databases, authentik: { clients: [] } },
});
const valkey = new Valkey("valkey", { host, ...settings.valkey });
const registries = registryLogins && new Registries("registries", { host, logins: registryLogins });
const authentik = new Authentik("authentik", {
  host,
  postgres,
  after: registries?.ready,
  ...settings.authentik,
  secretEnvironment: authentikSecrets,
  trustedProxies: settings.trustedProxies,
  valkey: settings.authentik.valkey ? valkey : undefined,
});
// Declared after the clients of PostgreSQL: setting up backups restarts PostgreSQL once, which must not happen during
// their first start.
const backup =
  settings.backup &&
  new Backup("backup", {
    host,
    after: [...postgres.ready, ...authentik.ready],
    ...settings.backup,
    key: backupKey,
    passphrase: backupPassphrase,
  });
const caddy = new Caddy("caddy", {
  host,
  ...settings.caddy,
  trustedProxies: settings.trustedProxies,
  sites: {
    ...Object.fromEntries(Object.entries(settings.caddy.sites).map(([name, site]) => [name, authentik.front(site)])),
    authentik: { ...authentik.site, after: authentik.ready },
  },
});

/** Outputs for other stacks. */
export const platform = platformOf({ host, postgres, valkey, authentik, caddy, tls: settings.caddy.tls });

/** Passwords of PostgreSQL roles and URLs of Valkey users. Secret, and therefore a separate output. */
export const logins = { postgres: postgres.passwords, valkey: valkey.urls };

/** First login to a new authentik, secret; null if the configuration sets the password. */
export const administrator = authentik.administrator;

/**
 * Secrets that a restore on another host needs; null without a backup. Store them away from both the host and the
 * state.
 */
export const recovery = backup?.recovery ?? null;

/** Overview for people: `pulumi stack output readme`. */
export const readme = readmeOf({
  stack: getStack(),
  host: settings.host,
  authentik,
  repository: settings.backup && placeOf(settings.backup.repository),
});
