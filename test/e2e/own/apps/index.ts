// The apps of another team on the platform's host, as configured.
import * as pulumi from "@pulumi/pulumi";
import { App } from "../../../../components/app/app.ts";
import type { AppArgs } from "../../../../components/app/args.ts";
import type { Connection } from "../../../../components/connection/connection.ts";
import { inspect } from "../../../../components/connection/inspect.ts";
import { debian } from "../../../../components/distribution/debian.ts";
import { Host } from "../../../../components/host/host.ts";
import { quiet } from "../../../../components/sdk/quiet.ts";

/** `wantsPostgres` names the database; the group's GID comes from the platform's outputs. */
type Wanted = Omit<AppArgs, "host" | "postgres"> & { wantsPostgres?: string };

quiet();

// The platform's own namespace, so that tests write both configurations in the same way.
const config = new pulumi.Config("gatehouse");
const { address, hostKey } = config.requireObject<Pick<Connection, "address" | "hostKey">>("host");
const privateKey = config.requireSecret("sshKey");
const connection = { address, hostKey, privateKey, port: 22, user: "root", sudo: false };
const expectations = { platform: debian, gids: {} };
const takeOver = config.getObject<string[]>("takeOver");
const facts = await inspect(connection, expectations, "on");
const host = new Host("host", { connection, ...expectations, takeOver, facts });

// As a StackReference would return them.
const { groups } = config.requireObject<{ groups: { postgres: { name: string; gid: number } } }>("platform");
const clients = { groupName: groups.postgres.name, gid: pulumi.output(groups.postgres.gid) };

for (const [name, { wantsPostgres, ...args }] of Object.entries(config.requireObject<Record<string, Wanted>>("apps")))
  new App(name, { host, ...args, postgres: wantsPostgres ? { clients, database: wantsPostgres } : undefined });
