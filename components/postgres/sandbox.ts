// The unit of PostgreSQL's server: who may use its socket, and what it may do on the host.
import type { Check, File } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { rendered } from "../render/render.ts";
import { socketFolder } from "../render/sockets.ts";
import type { PostgresSettings } from "./schema.ts";

type Names = Distribution["postgres"];
type Wishes = Pick<PostgresSettings, "settings" | "writable">;

const dropIns = (unit: string) => `/etc/systemd/system/${unit}.d`;

/** The server's unit: who may use its socket, and what it may do on the host. */
export function sandbox(names: Names, clientsGroup: string, wishes: Wishes): File[] {
  const { unit, user, data, service, stop, socketDirectory } = names;
  const program = socketFolder("postgres");
  const writable = writableBeside(names, wishes);
  return [
    { ...program, restarts: [unit] },
    {
      ...rendered(
        `${dropIns(unit)}/gatehouse.conf`,
        "root:root",
        "0644",
        "etc/systemd/system/postgresql.service.d/gatehouse.conf",
        {
          service,
          program: program.path,
          folder: socketDirectory,
          owner: `${user}:${clientsGroup}`,
          stop: stop ?? "",
          data,
          writable: [...writable, "/var/log/pgbackrest", "/var/spool/pgbackrest"],
          // A home holds nothing for the server but what the operator names.
          home: writable.some((path) => /^\/(home|root)(\/|$)/.test(path)) ? "read-only" : "true",
        },
      ),
      restarts: [unit],
    },
  ];
}

/** Folders beside the data that the server may write: also the one of its own log, in a name that a unit takes as it is. */
const writableBeside = ({ log }: Names, { settings, writable = [] }: Wishes): string[] => {
  const logs = String(settings.log_directory ?? "");
  return [...(log ? [log] : []), ...(/^(\/[\w.@+=~-]+)+$/.test(logs) ? [logs] : []), ...writable];
};

/**
 * The backup's release, which comes later, restarts the server where this one did not: so that it is restarted once when a
 * backup is added, and once where a host gets its sandbox.
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
export const allWritable = (names: Names, wishes: Wishes): Check => ({
  name: "PostgreSQL may write where its data are",
  tree: dropIns(names.unit),
  user: names.user,
  exec: ["sh", "-eu", "-c", ALL_WRITABLE, "sh", names.data, ...writableBeside(names, wishes)],
});

// As links, which are there while the server is down too.
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
echo "Name each of these folders, or one above it, in postgres.writable; then run pulumi up again." >&2
exit 1`;
