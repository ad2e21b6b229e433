import type { Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { connectionLimit, databaseData } from "../postgres-client/database.ts";
import { psql } from "../postgres-client/psql.ts";
import { render, rendered } from "../render/render.ts";

/**
 * A role of the app's name and a database that it owns, beside the platform's own: a fragment in the cluster's hba.d, and
 * a step that makes what is missing. It takes over neither a database of somebody else's nor a role that may more.
 */
export function databaseManifest(
  names: Distribution["postgres"],
  app: string,
  database: string,
  connections?: number,
): Manifest {
  const { user, unit, config } = names;
  return {
    data: [databaseData(names, database, app)],
    files: [
      {
        ...rendered(`${config}/hba.d/app-${app}.conf`, `root:${user}`, "0640", "etc/postgresql/hba.d/app.conf", {
          role: app,
          database,
        }),
        reloads: [unit],
      },
    ],
    steps: [
      {
        name: "role and database",
        user,
        exec: psql(names, "--file", "-"),
        stdin: render("sql/app.sql", { role: app, database, connections: connectionLimit(connections) }),
      },
    ],
    probes: [
      {
        // As the app itself: that it is in the clients' group, that pg_hba.conf lets it in, and that the role is its own.
        name: `${app} logs in to its database`,
        user: app,
        exec: psql(names, `--dbname=${database}`, "--command", "SELECT 1"),
        through: unit,
      },
    ],
  };
}
