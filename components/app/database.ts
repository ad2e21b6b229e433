import type { Manifest } from "../../protocol/manifest.ts";
import type { Distribution } from "../distribution/distribution.ts";
import { connectionLimit, databaseData } from "../postgres-client/database.ts";
import { psql } from "../postgres-client/psql.ts";
import { render, rendered } from "../render/render.ts";

/**
 * A role with the app's name and a database that it owns, beside those of the platform: a fragment in the cluster's
 * hba.d, and a step that creates missing objects. The step fails if the database has another owner or the role has
 * additional privileges.
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
    leaves: [`role ${app}`],
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
        // Runs as the app: checks that it is in the clients' group, that pg_hba.conf admits it, and that the role is
        // its own.
        name: `${app} logs in to its database`,
        user: app,
        exec: psql(names, `--dbname=${database}`, "--command", "SELECT 1"),
        through: unit,
      },
    ],
  };
}
