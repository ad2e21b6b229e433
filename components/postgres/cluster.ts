// Creates the cluster if there is none.
import { dirname } from "node:path";
import type { Step } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";

/** Options for every new cluster, whichever tool creates it: checksums cannot be enabled later without downtime. */
export const INITDB_OPTIONS = "--data-checksums --encoding=UTF8 --locale=C.UTF-8";

/**
 * Creates the cluster if it is missing: the package may be configured not to create it or may have failed, or an
 * operator dropped it. Data without a configuration gets one. A configuration without data is refused, because the data
 * may be on a disk that is not mounted.
 */
export function theCluster({ user, bin, cluster, config, data }: Distribution["postgres"]): Step[] {
  if (cluster.by === "patroni") return [dataFolders(user, data)];
  if (cluster.by === "package")
    return [
      onlyCluster({ config }),
      { name: "cluster", exec: ["sh", "-eu", "-c", BY_THE_TOOLS, "sh", config, data, user] },
    ];
  // Not a directory of the manifest: the package resets its mode at each boot and when other packages are installed.
  const place = ["install", "--directory", `--owner=${user}`, `--group=${user}`, dirname(data)];
  return [
    { name: "folder of the cluster", exec: place },
    { name: "cluster", user, exec: ["sh", "-eu", "-c", BY_INITDB, "sh", config, data, bin] },
  ];
}

/** Patroni's unit may write in the folders, but not create them. A folder with data keeps its mode. */
const dataFolders = (user: string, data: string): Step => ({
  name: "folder of the cluster",
  user,
  exec: ["mkdir", "--parents", "--mode=0700", data],
});

// Passes the options for initdb and the include of conf.d explicitly: the files that set them may have been replaced by
// an operator.
const BY_THE_TOOLS = `config=$1 data=$2 user=$3
name=\${config##*/} major=\${config%/*} major=\${major##*/}
if [ -e "$config/postgresql.conf" ]; then
  data=$(pg_conftool --short "$major" "$name" show data_directory)
  if [ -e "$data/PG_VERSION" ]; then
    if grep -Eqi "^\\s*include_dir\\s*=?\\s*'($config/)?conf\\.d/?'" "$config/postgresql.conf"; then exit 0; fi
    echo "$config/postgresql.conf does not read the settings in $config/conf.d. On the host:" >&2
    echo "  echo \\"include_dir = 'conf.d'\\" >>$config/postgresql.conf    # then pulumi up again" >&2
    exit 1
  fi
  echo "PostgreSQL's cluster $major/$name has its configuration in $config, and no data in $data." >&2
  echo "If they are on a disk that is not mounted, mount it and run pulumi up again. To begin with an empty cluster:" >&2
  echo "  pg_dropcluster $major $name    # then pulumi up" >&2
  exit 1
fi
if [ -e "$data/PG_VERSION" ]; then
  # Where initdb leaves them, and the tools look for those of a cluster that they take over.
  for file in postgresql.conf pg_hba.conf pg_ident.conf; do
    runuser -u "$user" -- cp --no-clobber "/usr/share/postgresql/$major/$file.sample" "$data/$file"
  done
fi
pg_createcluster --port=5432 --datadir="$data" --pgoption=add_include_dir=conf.d \\
  --pgoption=initdb_options='${INITDB_OPTIONS}' "$major" "$name"`;

// Creates the cluster in a temporary directory and renames it, so that an interrupted initdb leaves no partial cluster.
const BY_INITDB = `config=$1 data=$2 fresh=$2.new bin=$3
if [ -e "$data/PG_VERSION" ]; then exit 0; fi
if [ -n "$(ls -A "$data" 2>/dev/null)" ]; then
  echo "$data contains files that are not a PostgreSQL cluster: check them and move them away" >&2
  exit 1
fi
if [ -e "$config/postgresql.conf" ]; then
  echo "PostgreSQL has its configuration in $config, and no data in $data." >&2
  echo "If they are on a disk that is not mounted, mount it and run pulumi up again. To begin with an empty cluster:" >&2
  echo "  rm $config/postgresql.conf    # then pulumi up" >&2
  exit 1
fi
rm -rf "$fresh"
"$bin/initdb" --pgdata="$fresh" ${INITDB_OPTIONS} --auth=peer --no-instructions
mv -T "$fresh" "$data"
sync "$data/.."`;

/**
 * Refuses a host on which the package would create the cluster without checksums and conf.d, because an operator
 * replaced the file with the settings of new clusters. Runs before the package is installed.
 */
export const readsDefaults = ({ bin, config }: Pick<Distribution["postgres"], "bin" | "config">, defaults: string) => ({
  name: "the package reads the settings of new clusters",
  exec: ["sh", "-eu", "-c", READS_DEFAULTS, "sh", `${bin}/postgres`, dirname(dirname(config)), dirname(defaults)],
});

// The package only creates a cluster when it is installed for the first time and there is none.
const READS_DEFAULTS = `server=$1 clusters=$2 defaults=$3 conf=\${3%/*}/createcluster.conf
if [ -e "$server" ] || [ ! -e "$conf" ] || ls "$clusters"/*/*/postgresql.conf >/dev/null 2>&1; then exit 0; fi
if grep -Eqi "^\\s*create_main_cluster(\\s*=\\s*|\\s+)'?(off|false|no|0)'?\\s*(#|$)" "$conf"; then exit 0; fi
if grep -Eqi "^\\s*include_dir\\s*=?\\s*'($defaults|\${defaults##*/})/?'" "$conf"; then exit 0; fi
echo "$conf does not read $defaults: PostgreSQL's package would create the cluster without checksums and without conf.d."
echo "On the host, so that the package reads them:"
echo "  echo \\"include_dir '$defaults'\\" >>$conf    # then pulumi up again"
echo "or so that this program creates the cluster instead of the package:"
echo "  echo 'create_main_cluster = false' >>$conf    # then pulumi up again"
exit 1`;

/** Refuses a host on which another cluster has the port: the platform would create an empty cluster beside it. */
export const onlyCluster = ({ config }: Pick<Distribution["postgres"], "config">) => ({
  name: "no other cluster has the port",
  exec: ["sh", "-eu", "-c", ONLY_CLUSTER, "sh", config],
});

// The package's tools give the port to the first cluster, and `pg_upgradecluster` passes it on to the new one. A host
// without these tools has no cluster.
const ONLY_CLUSTER = `for settings in /etc/patroni/*-main.yml; do
  if [ ! -e "$settings" ]; then continue; fi
  echo "PostgreSQL on this host is a member of a cluster of three ($settings), whose other members would go on without it."
  echo "A way back to one host is not supported: use gatehouse:hosts, or restore the data on another host."
  exit 1
done
if ! command -v pg_lsclusters >/dev/null; then exit 0; fi
ours=\${1#/etc/postgresql/} clusters=$(pg_lsclusters --no-header)
while read -r major name port _ _ data _; do
  if [ "$port" != 5432 ] || [ "$major/$name" = "$ours" ]; then continue; fi
  echo "PostgreSQL's cluster on this host is $major/$name, with port 5432 and its data in $data."
  echo "This program runs $ours, which would be an empty one. On the host, with everything that uses PostgreSQL stopped:"
  if [ -e "$1" ]; then echo "  pg_dropcluster --stop \${ours%/*} \${ours#*/}    # if it is the empty one that the package created"; fi
  if [ "$major" = "\${ours%/*}" ]; then
    echo "  pg_renamecluster $major $name \${ours#*/}"
  else
    echo "  pg_upgradecluster -v \${ours%/*} $major $name    # keeps $major/$name; needs the package postgresql-\${ours%/*}"
  fi
  echo "and then pulumi up again. All steps, and how to undo them: docs/backup-and-restore.md, Upgrades."
  echo "If its data is no longer needed: pg_dropcluster --stop $major $name"
  exit 1
done <<CLUSTERS
$clusters
CLUSTERS`;
