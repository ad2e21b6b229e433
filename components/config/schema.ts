// The complete configuration of a stack: the schemas of all services, and the constraints between them.
import { z } from "zod";
import { thing } from "../../protocol/things.ts";
import { entrySchema } from "../app/entry.ts";
import { appName } from "../app/schema.ts";
import { authentikSchema } from "../authentik/schema.ts";
import { usesValkey, VERSION } from "../authentik/version.ts";
import { backupSchema } from "../backup/schema.ts";
import { caddySchema } from "../caddy/schema.ts";
import { connectionSettings } from "../connection/schema.ts";
import { platforms, USUAL } from "../distribution/distributions.ts";
import { postgresSchema } from "../postgres/schema.ts";
import { ARCHIVE_SETTINGS } from "../postgres/settings.ts";
import { withClashes } from "../schema/clashes.ts";
import type { Fault } from "../schema/faults.ts";
import { PLAIN } from "../schema/partly.ts";
import { asNetwork, proxies, text } from "../schema/scalars.ts";
import { nextFree } from "../valkey/databases.ts";
import { valkeySchema } from "../valkey/schema.ts";
import { clashesOfApps } from "./app-clashes.ts";

export const hostSchema = z.strictObject({
  ...connectionSettings,
  abandoned: z
    .boolean()
    .default(false)
    .meta({
      ...PLAIN,
      description:
        "Whether the host no longer exists. With this setting, `pulumi destroy --run-program` removes its resources from the state without connecting to it.",
    }),
  takeOver: z
    .array(thing.meta(PLAIN))
    .default([])
    .meta({
      ...PLAIN,
      description:
        "Objects on the host that gatehouse takes over although it did not create them, each as kind and name. If any other object has a name that the stack uses, the `up` is refused before anything is changed. `stack PROJECT/STACK` moves the releases of that stack to this one.",
      examples: [["account authentik", "unit caddy.service", "file /etc/caddy/Caddyfile", "stack gatehouse/old"]],
    }),
  platform: z
    .enum(Object.keys(platforms) as (keyof typeof platforms)[])
    .default(USUAL)
    .meta({ ...PLAIN, description: "Distribution of the host; checked against its /etc/os-release." }),
});

const LISTENS = /^(\*|(\d{1,3}\.){3}\d{1,3}):\d{1,5}\/(tcp|udp)$/;

/** Read by policy/ too. */
const policySchema = z.strictObject({
  requireDigest: z.boolean().default(false).meta({
    description:
      "Whether images without a digest are refused: authentik's by every `up` and preview, those of apps by the policy pack. Otherwise the policy pack only recommends a digest.",
  }),
  ports: z
    .array(text("a port such as 192.0.2.10:389/tcp or *:53/udp", LISTENS))
    .default([])
    .meta({
      description:
        "Ports of containers that other machines may reach, as `ADDRESS:PORT/PROTOCOL`, with `*` for all addresses. The policy pack refuses any other.",
      examples: [["*:2222/tcp"]],
    }),
});

/** What a stack has whether it is on one host or on three. */
export const sharedSettings = {
  drift: z
    .boolean()
    .default(true)
    .meta({
      ...PLAIN,
      description: "Whether each run first checks the host for drift, in one read-only SSH session.",
    }),
  postgres: postgresSchema.default(postgresSchema.parse({})).meta(PLAIN),
  authentik: authentikSchema.meta(PLAIN),
  caddy: caddySchema.default(caddySchema.parse({})).meta(PLAIN),
  trustedProxies: z
    .array(proxies)
    .default([])
    .transform((list) => list.map(asNetwork))
    .meta({
      description:
        "Proxies in front of Caddy, as addresses or networks. Only their X-Forwarded-For header (the address of the client) and other X-Forwarded headers are trusted. Applies to Caddy, for every site, and to authentik.",
      examples: [["173.245.48.0/20", "2400:cb00::/32"]],
    }),
  policy: policySchema.default(policySchema.parse({})).meta(PLAIN),
};

const { drift, postgres, authentik, caddy, trustedProxies, policy } = sharedSettings;
const settings = z.strictObject({
  host: hostSchema.meta({
    ...PLAIN,
    description: "The host, and how to connect to it over SSH.",
    examples: [{ address: "192.0.2.10", user: "deploy", sudo: true, hostKey: "ssh-ed25519 AAAA..." }],
  }),
  drift,
  postgres,
  valkey: valkeySchema.default(valkeySchema.parse({})).meta(PLAIN),
  authentik,
  caddy,
  apps: z
    .record(appName, entrySchema.meta(PLAIN))
    .default({})
    .meta({
      ...PLAIN,
      description:
        "Apps beside the platform, by name: containers, jobs or files with the parts of the platform that they use (service-integration-guide.md).",
    }),
  trustedProxies,
  backup: backupSchema.optional().meta({
    ...PLAIN,
    description: "Backups of PostgreSQL and of all folders with data. Without it, there are no backups.",
    examples: [{ repository: { path: "/srv/backups" } }],
  }),
  policy,
});

function* clashes({
  apps,
  authentik,
  backup,
  caddy,
  policy,
  postgres,
  valkey,
}: Omit<Settings, "host" | "drift">): Generator<Fault> {
  // Runs even if another value, such as the version, is invalid.
  const old = VERSION.test(authentik.version) && usesValkey(authentik.version);
  if (old && !authentik.valkey)
    yield {
      path: ["authentik", "valkey"],
      message: `authentik ${authentik.version} needs Valkey; versions from 2025.10 on do not`,
    };
  if (old && valkey.databases.authentik === undefined)
    yield {
      path: ["valkey", "databases"],
      message: `authentik ${authentik.version} keeps its cache in Valkey and needs a database there: add authentik: ${nextFree(valkey.databases)}`,
    };
  if (postgres.gid !== undefined && postgres.gid === valkey.gid)
    yield {
      path: ["valkey", "gid"],
      message: `GID ${valkey.gid} is already postgres.gid; each group needs its own GID`,
    };
  yield* clashesOfApps(apps, { authentik, caddy, postgres });
  if (backup) {
    for (const name of ARCHIVE_SETTINGS.filter((name) => name in postgres.settings))
      yield { path: ["postgres", "settings", name], message: `${name} is set by the backup; remove it` };
    if (postgres.settings.wal_level === "minimal")
      yield {
        path: ["postgres", "settings", "wal_level"],
        message: "minimal WAL is not enough for a backup; remove it",
      };
  }
  yield* sharedClashes({ authentik, caddy, policy, postgres });
}

/** Faults between settings of a platform, whether it is on one host or on three. */
export function* sharedClashes({
  authentik,
  caddy,
  policy,
  postgres,
}: Pick<Settings, "authentik" | "caddy" | "policy" | "postgres">): Generator<Fault> {
  // Without the policy pack, the setting would have no effect.
  if (policy.requireDigest && authentik.digest === undefined)
    yield {
      path: ["authentik", "digest"],
      message: `expected the digest of the image, since policy.requireDigest is true: skopeo inspect --format '{{.Digest}}' docker://${authentik.image}:${authentik.version}`,
    };
  for (const kind of ["databases", "roles"] as const)
    for (const name of Object.keys(postgres[kind]).filter((name) => /^authentik(_|$)/.test(name)))
      yield {
        path: ["postgres", kind, name],
        message: "the platform creates authentik's databases and role; remove it",
      };
  for (const [name, site] of Object.entries(caddy.sites)) {
    if (site.domain !== undefined && site.domain === authentik.domain)
      yield { path: ["caddy", "sites", name, "domain"], message: `${site.domain} is already authentik.domain` };
    if (name === "authentik")
      yield {
        path: ["caddy", "sites", name],
        message: "the site authentik is created by the platform; choose another name",
      };
  }
}

/** All settings that are not secret. */
export const settingsSchema = withClashes(settings, clashes);
export type Settings = z.output<typeof settings>;
