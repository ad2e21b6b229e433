// PostgreSQL on one host of the cluster, which Patroni runs.
import type { Check, Manifest, Step } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { serverManifest } from "../postgres/manifest.ts";
import type { PostgresSettings } from "../postgres/schema.ts";
import { psql } from "../postgres-client/psql.ts";
import { render, rendered } from "../render/render.ts";
import { asMember, type ClusterView, PROOF, patroniSettings, trustOf } from "./members.ts";
import { clusterUnit, READS_KEY } from "./unit.ts";

type Names = Distribution["postgres"];

/** The program that asks Patroni for the state of the cluster. */
const CLUSTER = "usr/local/libexec/gatehouse/cluster";

/**
 * What all members must have alike, and what Patroni does after a loss: a host that is lost silently leads for at most 20
 * seconds more, which Patroni does not permit to be fewer.
 */
export const DYNAMIC = {
  ttl: 20,
  loop_wait: 5,
  retry_timeout: 5,
  primary_start_timeout: 0,
  synchronous_mode: "quorum",
  failsafe_mode: true,
  check_timeline: true,
  postgresql: {
    use_pg_rewind: true,
    use_slots: true,
    parameters: {
      // The authentik of each host may have a third of what one may have.
      max_connections: 300,
      max_slot_wal_keep_size: "4GB",
      wal_sender_timeout: "5s",
      tcp_user_timeout: "10s",
    },
  },
};

/** The manifest of PostgreSQL and Patroni on one host. */
export function memberManifest(names: Names, view: ClusterView, options: PostgresSettings): Manifest {
  const member = asMember(names, view);
  const { unit, user, config, cluster } = member;
  if (cluster.by !== "patroni") throw new Error("not a member of a cluster");
  const server = serverManifest(member, user, options);
  const { own } = view;
  const settings = patroniSettings(names);
  return {
    ...server,
    // A new member copies all data first; a unit that fails ends the wait at once.
    deadline: 3600,
    listens: [`${own.address}:5432/tcp`, `${own.address}:8008/tcp`],
    files: [
      ...(server.files ?? []),
      {
        ...rendered(settings, `root:${user}`, "0640", "etc/patroni/member.yml", {
          own: own.name,
          address: own.address,
          hosts: view.members.map(({ address }) => ({ address })),
          ...cluster.proof,
          data: member.data,
          bin: member.bin,
          config,
          socketDirectory: member.socketDirectory,
          dynamic: JSON.stringify(DYNAMIC),
        }),
        restarts: [unit],
      },
      {
        path: cluster.proof.trust,
        mode: "0644",
        owner: "root:root",
        content: trustOf(view),
        restarts: [unit],
      },
      rendered(`/${CLUSTER}`, "root:root", "0755", CLUSTER, {
        own: own.name,
        hosts: view.members.map(({ name, address }) => ({ name, address })),
        ...PROOF,
        trust: cluster.proof.trust,
      }),
      clusterUnit(unit, [READS_KEY]),
    ],
    preparations: [...(server.preparations ?? []), before(names)],
    steps: [
      ...(server.steps ?? []),
      {
        name: "roles of Patroni",
        user,
        exec: [
          "sh",
          "-euc",
          AWAITED,
          "sh",
          `${member.bin}/pg_isready`,
          member.socketDirectory,
          ...psql(member, "--file", "-"),
        ],
        stdin: render("sql/replication.sql", {}),
      },
    ],
    checks: [...(server.checks ?? []), valid(settings)],
    probes: [
      ...(server.probes ?? []),
      { name: "this host has its place in the cluster", exec: [`/${CLUSTER}`, "own"] },
    ],
  };
}

/**
 * The data of a host that was alone have no roles for Patroni, which needs them at its first start. The host's own server
 * still listens where clients open their socket; there is none on a new host, and on a member PgBouncer refuses its superuser.
 */
const before = (names: Names): Step => {
  const alone = { ...names, superuser: undefined };
  return {
    name: "roles of Patroni in the data of a single host",
    user: names.user,
    exec: ["sh", "-euc", IF_ALONE, "sh", ...psql(alone, "--file", "-")],
    stdin: render("sql/replication.sql", {}),
  };
};
const IF_ALONE = `if "$@" </dev/null >/dev/null 2>&1; then "$@"; fi`;

/** Its unit is active before the server is: a new member copies the data first. */
const AWAITED = `until "$1" --quiet --host="$2"; do sleep 0.2; done
shift 2
exec "$@"`;

/**
 * Patroni's own check. It knows `synchronous_mode: quorum` only while it runs, and the port is in use while it does.
 */
const valid = (settings: string): Check => ({
  name: "Patroni accepts its settings",
  tree: "/etc/patroni",
  exec: [
    "sh",
    "-euc",
    `sed 's/"synchronous_mode":"quorum",//' "$1" >"$2/settings.yml"; patroni --validate-config --ignore-listen-port "$2/settings.yml"`,
    "sh",
    `{tree}/${settings.slice("/etc/patroni/".length)}`,
    "{scratch}",
  ],
});

/**
 * Settings that every member must have alike, which the cluster keeps itself. Applied once all hosts are members.
 *
 * @param away the hosts that are away on purpose.
 */
export const clusterSettingsManifest = (names: Names, away: readonly string[]): Manifest => ({
  deadline: 120,
  steps: [
    {
      name: "settings of the cluster",
      exec: ["patronictl", "-c", patroniSettings(names), "edit-config", "--force", "--quiet", "--apply", "-"],
      // No transaction is acknowledged that only one host has.
      stdin: JSON.stringify({ ...DYNAMIC, synchronous_mode_strict: true }),
    },
  ],
  probes: [{ name: "the cluster can lose any one host", exec: [`/${CLUSTER}`, "whole", ...away] }],
});
