import type { Step } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { AS_THE_SERVER, client, literal, psql, superuserOf } from "../postgres-client/psql.ts";

type Names = Distribution["postgres"];

/**
 * Changes the owners of databases to those in the configuration. All objects of the old owner in the database change
 * with it; objects of the old owner in other databases stay.
 */
export const ownersStep = (names: Names, databases: readonly { name: string; owner: string }[]): Step => ({
  name: "owners of databases",
  ...superuserOf(names),
  exec: ["sh", "-euc", script(names), "sh", changes(databases), AS_THE_SERVER, LEFT],
});

/**
 * One line for each database that changes its owner: the name, whether the old owner is a superuser, and the
 * statements. REASSIGN OWNED also reassigns the old owner's other databases and tablespaces, which are returned
 * immediately.
 */
const changes = (databases: readonly { name: string; owner: string }[]) => `SELECT datname || ' ' || rolsuper || ' ' ||
  CASE WHEN rolsuper THEN format('ALTER DATABASE %I OWNER TO %I', datname, owner)
  ELSE format('REASSIGN OWNED BY %I TO %I', rolname, owner) || coalesce((
    SELECT string_agg(format('; ALTER %s %I OWNER TO %I', kind, name, rolname), '') FROM (
      SELECT 'DATABASE', o.datname FROM pg_database o WHERE o.datdba = d.datdba AND o.oid <> d.oid
      UNION ALL SELECT 'TABLESPACE', spcname FROM pg_tablespace WHERE spcowner = d.datdba) others(kind, name)), '') END
FROM (VALUES ${databases.map(({ name, owner }) => `(${literal(name)}, ${literal(owner)})`).join(", ")}) wanted(database, owner)
  JOIN pg_database d ON datname = database JOIN pg_roles r ON r.oid = datdba WHERE rolname <> owner`;

/**
 * Tables in a database that belong to its owner, a superuser, except those of extensions. They are not reassigned,
 * because PostgreSQL itself needs some objects of a superuser.
 */
const LEFT = `SELECT format('  ALTER TABLE %I.%I OWNER TO', nspname, relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relowner = (SELECT datdba FROM pg_database WHERE datname = current_database()) AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND nspname <> 'information_schema' AND nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE classid = 1259 AND objid = c.oid AND deptype IN ('e', 'i', 'a')) ORDER BY 1`;

/** Statements in an application's database run with the server's settings, and call no functions of the application. */
function script(names: Names): string {
  const words = (argv: string[]) => argv.map((word) => `"${word}"`).join(" ");
  const bare = ["--tuples-only", "--no-align"];
  const inside = `PGOPTIONS=$settings ${words(client(names, ...bare, "--dbname=$database"))} --command`;
  return `changes=$(${words(psql(names, ...bare))} --command "$1")
[ -n "$changes" ] || exit 0
settings=$(${words(psql(names, ...bare))} --command "$2") left=$3
each() { printf '%s\n' "$changes" | while read -r database super statements; do "$1"; done; }
look() {
  [ "$super" = true ] || return 0
  tables=$(${inside} "$left")
  [ -z "$tables" ] || { echo "in database $database:"; printf '%s\n' "$tables" | sed "s/$/ \${statements##* };/"; }
}
give() { ${inside} "$statements"; }
found=$(each look)
if [ -n "$found" ]; then
  echo "The configuration changes the owner of a database in which a superuser owns tables; these would keep their owner." >&2
  echo "Change their owner one by one: run this as a superuser, then pulumi up." >&2
  printf '%s\n' "$found" >&2
  exit 1
fi
each give`;
}
