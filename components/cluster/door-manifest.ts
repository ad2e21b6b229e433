// The socket that clients on a host open: PgBouncer, and HAProxy behind it, which leads to the primary.
import type { Check, File, Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { rendered } from "../render/render.ts";
import { socketFolder } from "../render/sockets.ts";
import { type ClusterView, PROOF, trustOf } from "./members.ts";
import { clusterUnit, READS_KEY } from "./unit.ts";

type Names = Distribution["postgres"];

export const DOOR = {
  packages: ["pgbouncer", "haproxy"],
  unit: "pgbouncer.service",
  proxy: "haproxy.service",
};
const TRUST = "/etc/pgbouncer/hosts.pem";
const BOUNCER = "/etc/pgbouncer";

/** The manifest of the door. `roles` are those that may come through it. */
export function doorManifest(
  { user, bin, socketDirectory, tmpfiles, data }: Names,
  clientsGroup: string,
  view: ClusterView,
  roles: readonly string[],
): Manifest {
  const { unit, proxy } = DOOR;
  const program = socketFolder("pgbouncer");
  const bouncer = (name: string, view: object): File =>
    rendered(`${BOUNCER}/${name}`, `root:${user}`, "0640", `etc/pgbouncer/${name}`, view);
  return {
    deadline: 90,
    files: [
      {
        ...rendered("/etc/haproxy/haproxy.cfg", "root:root", "0644", "etc/haproxy/haproxy.cfg", {
          hosts: view.members.map(({ name, address }) => ({ name, address })),
          certificate: PROOF.certificate,
          trust: TRUST,
        }),
        reloads: [proxy],
      },
      // It reads the key as root, before it becomes another account.
      clusterUnit(proxy, []),
      {
        ...bouncer("pgbouncer.ini", { socketDirectory, ...PROOF, trust: TRUST, connections: 50 }),
        restarts: [unit],
      },
      { ...bouncer("hba.conf", {}), reloads: [unit] },
      { ...bouncer("users.txt", { roles }), reloads: [unit] },
      { path: TRUST, mode: "0644", owner: "root:root", content: trustOf(view), restarts: [proxy, unit] },
      { ...program, restarts: [unit] },
      clusterUnit(unit, [READS_KEY]),
      {
        ...rendered(
          `/etc/systemd/system/${unit}.d/gatehouse.conf`,
          "root:root",
          "0644",
          "etc/systemd/system/pgbouncer.service.d/gatehouse.conf",
          { program: program.path, folder: socketDirectory, owner: `${user}:${clientsGroup}`, data },
        ),
        restarts: [unit],
      },
      {
        ...rendered(tmpfiles, "root:root", "0644", "etc/tmpfiles.d/postgresql.conf", {
          socketDirectory,
          mode: ":3750",
          user,
          group: clientsGroup,
          log: "",
        }),
        restarts: [unit],
      },
    ],
    checks: [validProxy],
    units: [
      { name: proxy, enabled: true },
      { name: unit, enabled: true },
    ],
    probes: [
      { name: "PgBouncer listens on the socket", socket: `${socketDirectory}/.s.PGSQL.5432` },
      // HAProxy closes the connection if there is no primary.
      {
        name: "HAProxy leads to the primary",
        user,
        exec: [`${bin}/pg_isready`, "--quiet", "--host=127.0.0.1", "--port=5433", "--timeout=4"],
      },
    ],
  };
}

const validProxy: Check = {
  name: "HAProxy accepts its settings",
  tree: "/etc/haproxy",
  exec: [
    "sh",
    "-euc",
    // Its certificates are those of the host that are trusted already, or will be with this change.
    `sed 's| ca-file ${TRUST}| ca-file ${PROOF.certificate}|' "$1/haproxy.cfg" >"$2/haproxy.cfg"; haproxy -q -c -f "$2/haproxy.cfg"`,
    "sh",
    "{tree}",
    "{scratch}",
  ],
};
