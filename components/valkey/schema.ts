import { z } from "zod";
import { valkeySetting } from "../render/grammars.ts";
import { withClashes } from "../schema/clashes.ts";
import { PLAIN } from "../schema/partly.ts";
import { clientsGid, releaseName, rotation, settingOf } from "../schema/scalars.ts";
import { allotmentFaults } from "./databases.ts";

/** Settings that the platform decides. */
const OWN_SETTINGS = [
  "aclfile",
  "bind",
  "daemonize",
  "databases",
  "include",
  "logfile",
  "pidfile",
  "port",
  "protected-mode",
  "requirepass",
  "supervised",
  "unixsocket",
  "unixsocketgroup",
  "unixsocketperm",
  "user",
];

/**
 * Settings with which Valkey would start with different data than it had. A change of appendonly is allowed: it is made
 * while the server runs.
 */
const PLACES: Record<string, string> = {
  appenddirname: "is the folder of the append-only file",
  appendfilename: "is the name of the append-only file",
  dbfilename: "is the name of the snapshot",
  dir: "is the folder of the data",
  replicaof: "makes Valkey replace its data with those of another server",
  slaveof: "makes Valkey replace its data with those of another server",
};

const settingName = z
  .string()
  .regex(/^[a-z][a-z0-9-]*$/, {
    error: ({ input }) => `expected the name of a setting such as maxmemory, got ${JSON.stringify(input)}`,
  })
  .refine((name) => !OWN_SETTINGS.includes(name), {
    error: ({ input }) => `${input} is set by the platform; remove it`,
  })
  .refine((name) => !Object.hasOwn(PLACES, name), {
    error: ({ input }) =>
      `${input} ${PLACES[String(input)]}: after a change Valkey would start without its existing data; remove it`,
  });

/** Existing users: Valkey's own, which is disabled, and the agent's. */
const application = releaseName.refine((name) => name !== "default" && name !== "gatehouse", {
  error: ({ input }) => `${input} is a user of the platform; choose another name`,
});

const settings = z.strictObject({
  gid: clientsGid("valkey-clients", 2002),
  settings: z
    .record(settingName, settingOf(valkeySetting))
    .default({})
    .meta({
      description:
        "Settings for valkey.conf. A change restarts Valkey and keeps all keys: appendonly is switched while the server runs.",
      examples: [{ maxmemory: "256mb" }],
    }),
  databaseCount: z
    .int()
    .min(2)
    .max(1024)
    .default(16)
    .meta({ description: "Number of databases, including database 0." }),
  rotation: rotation.meta({ description: "Increase it by one to give every user a new password." }),
  databases: z
    .record(application, z.int())
    .default({})
    .meta({
      ...PLAIN,
      description:
        "Database number of each application, from 1. Each application gets an ACL user with its name and a generated password.",
      examples: [{ grafana: 2 }],
    }),
});

/** Configuration of Valkey. */
export const valkeySchema = withClashes(settings, ({ databases, databaseCount }) =>
  allotmentFaults(databases, databaseCount).map(({ name, fault }) => ({ path: ["databases", name], message: fault })),
);
export type ValkeySettings = z.output<typeof valkeySchema>;
