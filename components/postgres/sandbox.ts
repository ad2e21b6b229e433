// The systemd unit of the PostgreSQL server: access to its socket, and its own access to the host.
import { dirname } from "node:path";
import type { Check, File } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { rendered } from "../render/render.ts";
import { socketFolder } from "../render/sockets.ts";
import type { PostgresSettings } from "./schema.ts";

type Names = Distribution["postgres"];
type Options = Pick<PostgresSettings, "settings" | "writable">;

const dropIns = (unit: string) => `/etc/systemd/system/${unit}.d`;

/** Files for the server's unit. */
export function sandbox(names: Names, clientsGroup: string, options: Options): File[] {
  const { unit, user, data, service, stop, socketDirectory, cluster } = names;
  const program = socketFolder("postgres");
  // Clients on a member come through its door.
  const isOpen = cluster.by !== "patroni";
  const writable = writableBeside(names, options);
  return [
    ...(isOpen ? [{ ...program, restarts: [unit] }] : []),
    {
      ...rendered(
        `${dropIns(unit)}/gatehouse.conf`,
        "root:root",
        "0644",
        "etc/systemd/system/postgresql.service.d/gatehouse.conf",
        {
          service,
          program: isOpen ? program.path : "",
          folder: socketDirectory,
          owner: `${user}:${clientsGroup}`,
          stop: stop ?? "",
          // Patroni replaces this folder when it copies the data again, so its parent must be writable.
          data: cluster.by === "patroni" ? dirname(data) : data,
          writable: [...writable, "/var/log/pgbackrest", "/var/spool/pgbackrest"],
          // Patroni reads in /proc/stat when the host was started.
          procfs: cluster.by === "patroni" ? "all" : "pid",
          // The server needs nothing in home directories except the directories that the operator lists.
          home: writable.some((path) => /^\/(home|root)(\/|$)/.test(path)) ? "read-only" : "true",
        },
      ),
      restarts: [unit],
    },
  ];
}

/**
 * Directories outside the data that the server may write, including its own log directory if a unit can contain the
 * name unquoted.
 */
const writableBeside = ({ log }: Names, { settings, writable = [] }: Options): string[] => {
  const logs = String(settings.log_directory ?? "");
  return [...(log ? [log] : []), ...(/^(\/[\w.@+=~-]+)+$/.test(logs) ? [logs] : []), ...writable];
};

/**
 * Restarts nothing: the release of the backup follows, and restarts the server if this release did not. The server
 * therefore restarts only once, both when a backup is added and when a host gets its sandbox.
 */
export const repositoryDropIn = ({ unit }: Names, repository: string): File =>
  rendered(
    `${dropIns(unit)}/gatehouse-backup.conf`,
    "root:root",
    "0644",
    "etc/systemd/system/postgresql.service.d/gatehouse-backup.conf",
    { repository, home: /^\/(home|root)(\/|$)/.test(repository) },
  );

/** Refuses a sandbox in which tablespaces, or parts of the data that were moved elsewhere, would be read-only. */
export const allWritable = (names: Names, options: Options): Check => ({
  name: "PostgreSQL may write to all of its data",
  tree: dropIns(names.unit),
  user: names.user,
  exec: ["sh", "-eu", "-c", ALL_WRITABLE, "sh", names.data, ...writableBeside(names, options)],
});

// Reads the symlinks, which exist even if the server is down.
const ALL_WRITABLE = `data=$1 missing=
for link in "$data"/* "$data"/pg_tblspc/*; do
  if [ ! -L "$link" ]; then continue; fi
  place=$(readlink -m "$link")
  for folder; do
    case $place/ in "$(readlink -m "$folder")"/*) continue 2 ;; esac
  done
  missing="$missing
  $place    (by $link)"
done
if [ -z "$missing" ]; then exit 0; fi
echo "PostgreSQL has data outside $data, where its unit will not be allowed to write:$missing" >&2
echo "List each of these folders, or a parent of it, in postgres.writable; then run pulumi up again." >&2
exit 1`;
