// What the hosts of a cluster know of each other.
import type { Distribution } from "../distribution/distribution.ts";
import { keyFiles } from "../host/key.ts";

/** The key with which a host proves to the others who it is. */
export const KEY = "host";
/** Its group, which only the units of the cluster have. */
export const KEY_GROUP = "gatehouse-host";
/** The files of the key. */
export const PROOF = keyFiles(KEY);

/** A host of the cluster. */
export interface Member {
  name: string;
  /** Its address on the network between the hosts. */
  address: string;
  /** Its certificate in PEM format; empty in a sketch. */
  certificate: string;
}

/** The cluster, as one of its hosts sees it. */
export interface ClusterView {
  own: Member;
  /** All hosts, its own among them. */
  members: readonly Member[];
}

/** The certificates that a service trusts: those of the hosts, and no authority's. */
export const trustOf = ({ members }: ClusterView): string => members.map(({ certificate }) => certificate).join("");

/** PostgreSQL's major version and the name of its configuration, as in the names of Patroni's unit and settings. */
const instanceOf = ({ config }: Distribution["postgres"]): string => config.split("/").slice(-2).join("-");

/** The settings of Patroni. */
export const patroniSettings = (names: Distribution["postgres"]): string => `/etc/patroni/${instanceOf(names)}.yml`;

/** PostgreSQL as a member of a cluster: Patroni runs it, and the door stands in the place of its socket. */
export function asMember(names: Distribution["postgres"], view: ClusterView): Distribution["postgres"] {
  const { config, packages } = names;
  const unit = `patroni@${instanceOf(names)}.service`;
  return {
    ...names,
    packages: [...packages, "patroni", "python3-etcd"],
    unit,
    socketDirectory: "/run/postgresql-node",
    tmpfiles: "/etc/tmpfiles.d/postgresql-node.conf",
    // The package's own folder is the door's, and an immediate stop would lose what the standbys do not have.
    service: ["RuntimeDirectory=", "TimeoutStopSec=infinity"],
    stop: undefined,
    superuser: undefined,
    cluster: {
      by: "patroni",
      defaults: "/etc/postgresql-common/createcluster.d/gatehouse.conf",
      proof: { ...PROOF, trust: `${config}/hosts.pem` },
      hosts: view.members.map(({ name, address }) => ({ name, network: networkOf(address) })),
    },
  };
}

/** The distribution of a host of the cluster: its steps reach PostgreSQL wherever the primary is. */
export const inCluster = ({ postgres, ...others }: Distribution, addresses: readonly string[]): Distribution => ({
  ...others,
  postgres: { ...postgres, superuser: superuserAt(postgres, addresses) },
});

const superuserAt = ({ user, config }: Distribution["postgres"], addresses: readonly string[]) => ({
  group: KEY_GROUP,
  host: addresses.join(","),
  environment: [
    `PGUSER=${user}`,
    "PGTARGETSESSIONATTRS=primary",
    "PGCONNECT_TIMEOUT=5",
    "PGSSLMODE=verify-ca",
    `PGSSLCERT=${PROOF.certificate}`,
    `PGSSLKEY=${PROOF.key}`,
    `PGSSLROOTCERT=${config}/hosts.pem`,
  ],
});

const networkOf = (address: string): string => `${address}/${address.includes(":") ? 128 : 32}`;
