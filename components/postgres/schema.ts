import { z } from "zod";
import { connections, gid, setting, unixName } from "../schema/scalars.ts";
import { OWN_SETTINGS } from "./settings.ts";

const settingName = z
  .string()
  .regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$/, {
    error: ({ input }) => `expected the name of a setting such as max_connections, got ${JSON.stringify(input)}`,
  })
  .refine((name) => !(OWN_SETTINGS as readonly string[]).includes(name), {
    error: ({ input }) =>
      input === "data_directory"
        ? "data_directory names the folder of its data: after a change PostgreSQL would start without what it holds; take it out"
        : `${input} belongs to the platform, which listens on its socket directory only; take it out`,
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
    `expected a folder such as /srv/tablespaces, absolute and none of the system's, got ${JSON.stringify(input)}`,
});

/** Configuration of PostgreSQL. */
export const postgresSchema = z.strictObject({
  gid: gid.optional().meta({
    description: "GID of the group postgres-clients. Without it the host chooses, and an existing group keeps its own.",
    examples: [2001],
  }),
  settings: z
    .record(settingName, setting)
    .default({})
    .meta({
      description: "Settings of postgresql.conf. What can be reloaded is; the rest restarts PostgreSQL.",
      examples: [{ max_connections: 200 }],
    }),
  writable: z
    .array(folder)
    .optional()
    .meta({
      description:
        "Folders beside its data that PostgreSQL may write, such as those of tablespaces. Without it: none, and the rest of the host is read-only to it.",
      examples: [["/srv/tablespaces"]],
    }),
  databases: z
    .record(
      name,
      z.strictObject({
        owner: name.optional().meta({
          description:
            "The role that owns the database and may connect. Without it: the role of the database's name. Another one gets all that the old one has in there.",
          examples: ["grafana"],
        }),
        clients: z
          .array(name)
          .default([])
          .meta({
            description: "Roles that may connect besides the owner; what they may do there is the owner's to grant.",
            examples: [["reporting"]],
          }),
      }),
    )
    .default({})
    .meta({
      description: "Databases to exist, each with its owner. Taking one out of the list keeps its data.",
      examples: [{ grafana: {} }],
    }),
  roles: z
    .record(
      name,
      z.strictObject({
        auth: z
          .enum(["peer", "scram"])
          .default("peer")
          .meta({
            description:
              "peer: the operating-system account of the same name, no password; this is so without it. scram: a generated password, which a client gives to no false server with require_auth=scram-sha-256.",
            examples: ["scram"],
          }),
        connections: connections.optional().meta({
          description:
            "How many connections the role may hold at a time. Without it: half of max_connections, so that a client that leaks connections leaves some to the others.",
          examples: [20],
        }),
      }),
    )
    .default({})
    .meta({
      description: "How roles prove who they are, and how many connections they may hold.",
      examples: [{ reporting: { auth: "scram" } }],
    }),
});
export type PostgresSettings = z.output<typeof postgresSchema>;
