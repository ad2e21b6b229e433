import { z } from "zod";
import { postgresSetting } from "../render/grammars.ts";
import { PLAIN } from "../schema/partly.ts";
import { clientsGid, connections, settingOf, unixName } from "../schema/scalars.ts";
import { OWN_SETTINGS } from "./settings.ts";

const settingName = z
  .string()
  .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/, {
    error: ({ input }) => `expected the name of a setting such as max_connections, got ${JSON.stringify(input)}`,
  })
  .refine((name) => !(OWN_SETTINGS as readonly string[]).includes(name), {
    error: ({ input }) =>
      input === "data_directory"
        ? "data_directory is the folder of the data: after a change PostgreSQL would start without its existing data; remove it"
        : `${input} is set by the platform, which listens on its socket directory only; remove it`,
  });

/** Names that PostgreSQL and the agent reserve. */
const OWN_NAME = /^(postgres|template[01]|public|none|pg_.*|gatehouse_.*)$/;
const name = unixName.refine((name) => !OWN_NAME.test(name), {
  error: ({ input }) => `${input} is reserved for PostgreSQL or gatehouse; choose another`,
});

// Becomes part of a unit, which must continue to protect system directories.
const FOLDER =
  /^(?!\/(bin|boot|dev|etc|lib\w*|proc|run|sbin|sys|tmp|usr)(\/|$)|\/(home|root|var|var\/[^/]+)$)(\/(?!\.{1,2}(\/|$))[\w.@+=~-]+)+$/;
const folder = z.string().regex(FOLDER, {
  error: ({ input }) =>
    `expected an absolute path such as /srv/tablespaces, not a system folder, got ${JSON.stringify(input)}`,
});

/** Configuration of PostgreSQL. */
export const postgresSchema = z.strictObject({
  gid: clientsGid("postgres-clients", 2001),
  settings: z
    .record(settingName, settingOf(postgresSetting))
    .default({})
    .meta({
      description:
        "Settings for postgresql.conf. A change is applied with a reload if possible, otherwise with a restart of PostgreSQL.",
      examples: [{ max_connections: 200 }],
    }),
  writable: z
    .array(folder)
    .optional()
    .meta({
      description:
        "Folders outside the data directory that PostgreSQL may write to, such as those of tablespaces. Without it, there are none; the rest of the host is read-only for PostgreSQL.",
      examples: [["/srv/tablespaces"]],
    }),
  databases: z
    .record(
      name,
      z.strictObject({
        owner: name.optional().meta({
          description:
            "Role that owns the database and may connect to it. Without it, the role with the name of the database. A new owner gets everything that the old owner has in the database.",
          examples: ["grafana"],
        }),
        clients: z
          .array(name)
          .default([])
          .meta({
            description: "Other roles that may connect to the database. The owner grants them their privileges in it.",
            examples: [["reporting"]],
          }),
      }),
    )
    .default({})
    .meta({
      description: "Databases that must exist, each with its owner. Removing a database from the list keeps its data.",
      examples: [{ grafana: {} }],
    }),
  roles: z
    .record(
      name,
      z
        .strictObject({
          auth: z
            .enum(["peer", "scram"])
            .default("peer")
            .meta({
              ...PLAIN,
              description:
                "peer (the default): the operating-system account with the same name may log in, without a password. scram: the role has a generated password; a client with require_auth=scram-sha-256 does not reveal it to a fake server.",
              examples: ["scram"],
            }),
          connections: connections.optional().meta({
            description:
              "Maximum number of concurrent connections of the role. Without it, half of max_connections, so that a client that leaks connections leaves some for others.",
            examples: [20],
          }),
        })
        .meta(PLAIN),
    )
    .default({})
    .meta({
      ...PLAIN,
      description: "How roles authenticate, and how many connections they may hold.",
      examples: [{ reporting: { auth: "scram" } }],
    }),
});
export type PostgresSettings = z.output<typeof postgresSchema>;
