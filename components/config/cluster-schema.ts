// The configuration of a stack with three hosts.
import { isIP } from "node:net";
import { z } from "zod";
import { usesValkey, VERSION } from "../authentik/version.ts";
import { withClashes } from "../schema/clashes.ts";
import type { Fault } from "../schema/faults.ts";
import { PLAIN } from "../schema/partly.ts";
import { clientsGid, releaseName } from "../schema/scalars.ts";
import { hostSchema, sharedClashes, sharedSettings } from "./schema.ts";

const HOSTS = 3;

const unsupported = z
  .undefined({ error: "is not supported with hosts yet; docs/cluster.md lists what is not" })
  .optional();

const memberSchema = hostSchema.omit({ platform: true, abandoned: true }).extend({
  private: z
    .string()
    .refine((value) => isIP(value) === 4, {
      error: ({ input }) => `expected an IPv4 address, got ${JSON.stringify(input) ?? "nothing"}`,
    })
    .meta({
      ...PLAIN,
      description:
        "Its address on the network between the hosts, on which ports 2379, 2380, 5432 and 8008 are open to the other two.",
      examples: ["10.0.0.11"],
    }),
  gid: clientsGid("postgres-clients", 2001),
  down: z
    .boolean()
    .default(false)
    .meta({
      ...PLAIN,
      description:
        "Whether the host is away on purpose: the others are deployed and changed without it. Remove it once the host is back.",
    }),
});

const settings = z.strictObject({
  hosts: z
    .record(releaseName, memberSchema.meta(PLAIN))
    .refine((hosts) => Object.keys(hosts).length === HOSTS, {
      error: ({ input }) =>
        `expected ${HOSTS} hosts, since the loss of one must leave a majority of two, got ${Object.keys(input as object).length}`,
    })
    .meta({
      ...PLAIN,
      description:
        "Three hosts in the place of `host`, by name (cluster.md). The first one creates the cluster, and the platform goes on if any one of them is lost.",
      examples: [{ a: { address: "192.0.2.11", private: "10.0.0.11", hostKey: "ssh-ed25519 AAAA..." } }],
    }),
  ...sharedSettings,
  apps: unsupported,
  backup: unsupported,
  valkey: unsupported,
});

/** Settings of PostgreSQL that all members must have alike, or that Patroni sets itself. */
const PATRONI_SETTINGS = [
  "cluster_name",
  "hot_standby",
  "max_connections",
  "max_locks_per_transaction",
  "max_prepared_transactions",
  "max_replication_slots",
  "max_slot_wal_keep_size",
  "max_wal_senders",
  "max_worker_processes",
  "primary_conninfo",
  "primary_slot_name",
  "recovery_target_timeline",
  "restore_command",
  "ssl",
  "ssl_ca_file",
  "ssl_cert_file",
  "ssl_key_file",
  "synchronous_commit",
  "synchronous_standby_names",
  "tcp_user_timeout",
  "track_commit_timestamp",
  "wal_keep_size",
  "wal_level",
  "wal_log_hints",
  "wal_sender_timeout",
];

function* clashes(given: ClusterSettings): Generator<Fault> {
  const { hosts, authentik, caddy, postgres } = given;
  yield* twice(hosts, ({ address, port }) => `${address}:${port}`, { key: "address", of: "" });
  const [first, ...down] = Object.entries(hosts).filter(([, { down }]) => down);
  for (const [name] of down)
    yield {
      path: ["hosts", name, "down"],
      message: `hosts.${first?.[0]} is down too, and one host alone is no majority`,
    };
  yield* twice(hosts, (host) => host.private, { key: "private", of: ".private" });
  if (VERSION.test(authentik.version) && usesValkey(authentik.version))
    yield {
      path: ["authentik", "version"],
      message: `authentik ${authentik.version} needs Valkey, which runs on one host; versions from 2025.10 on do not`,
    };
  const { AUTHENTIK_STORAGE__BACKEND: storage } = authentik.environment;
  if (storage !== "s3")
    yield {
      path: ["authentik", "environment"],
      message:
        "an uploaded file would be on one of the hosts only: set AUTHENTIK_STORAGE__BACKEND to s3, and AUTHENTIK_STORAGE__S3__* to a bucket",
    };
  if (caddy.tls === "acme")
    yield {
      path: ["caddy", "tls"],
      message:
        "the authority would ask any one of the hosts for the answer that only one of them has; acme is not supported with hosts yet: set internal",
    };
  for (const name of PATRONI_SETTINGS.filter((name) => name in postgres.settings))
    yield { path: ["postgres", "settings", name], message: `${name} is set by Patroni for all hosts; remove it` };
  for (const [role, { auth }] of Object.entries(postgres.roles))
    if (auth === "scram")
      yield {
        path: ["postgres", "roles", role, "auth"],
        message: "scram is not supported with hosts yet: use peer, or one host",
      };
  if (postgres.gid !== undefined)
    yield { path: ["postgres", "gid"], message: "each host has its own number: set hosts.NAME.gid" };
  yield* sharedClashes(given);
}

/** A value that two hosts have, reported for the second one. */
function* twice(
  hosts: ClusterSettings["hosts"],
  read: (host: ClusterSettings["hosts"][string]) => string,
  { key, of }: { key: string; of: string },
): Generator<Fault> {
  const first = new Map<string, string>();
  for (const [name, host] of Object.entries(hosts)) {
    const value = read(host);
    const other = first.get(value);
    if (other === undefined) first.set(value, name);
    else yield { path: ["hosts", name, key], message: `${value} is already hosts.${other}${of}` };
  }
}

/** All settings of three hosts that are not secret. */
export const clusterSchema = withClashes(settings, clashes);
export type ClusterSettings = z.output<typeof settings>;
