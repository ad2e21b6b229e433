// etcd, in which Patroni keeps who leads.
import type { File, Manifest } from "../../protocol/manifest.ts";
import { rendered } from "../render/render.ts";
import { type ClusterView, PROOF, trustOf } from "./members.ts";
import { clusterUnit, READS_KEY } from "./unit.ts";

export const ETCD = { packages: ["etcd-server", "etcd-client"], unit: "etcd.service" };
const TRUST = "/etc/etcd/hosts.pem";
const JOIN = "usr/local/libexec/gatehouse/etcd-join";
/** Written by the program above, and read after the settings. */
const JOINS = "/etc/etcd/join.env";

/** The manifest of etcd on one host. Its first start waits for a second host. */
export function etcdManifest(view: ClusterView): Manifest {
  const { name, address } = view.own;
  const { unit } = ETCD;
  const file = (path: string, template: string, view: object): File => ({
    ...rendered(path, "root:root", "0644", template, view),
    restarts: [unit],
  });
  return {
    deadline: 180,
    listens: [`${address}:2379/tcp`, `${address}:2380/tcp`],
    directories: [{ path: "/etc/etcd", mode: "0755", owner: "root:root" }],
    files: [
      file("/etc/default/etcd", "etc/default/etcd", {
        own: name,
        address,
        hosts: view.members.map(({ name, address }) => ({ name, address })),
        ...PROOF,
        trust: TRUST,
      }),
      { path: TRUST, mode: "0644", owner: "root:root", content: trustOf(view), restarts: [unit] },
      {
        ...file(`/${JOIN}`, JOIN, {
          own: name,
          address,
          others: view.members.filter((member) => member.name !== name).map((member) => member.address),
          ...PROOF,
          trust: TRUST,
          joins: JOINS,
        }),
        mode: "0755",
      },
      clusterUnit(unit, [READS_KEY, `EnvironmentFile=-${JOINS}`, `ExecStartPre=+/${JOIN}`]),
    ],
    units: [{ name: unit, enabled: true }],
    probes: [{ name: "etcd has a leader", exec: etcdctl(view, "endpoint", "health") }],
  };
}

/** etcdctl as root, for the member on this host. */
const etcdctl = ({ own }: ClusterView, ...words: string[]): string[] => [
  "etcdctl",
  `--endpoints=https://${own.address}:2379`,
  `--cert=${PROOF.certificate}`,
  `--key=${PROOF.key}`,
  `--cacert=${TRUST}`,
  ...words,
];
