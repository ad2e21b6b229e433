import { getStack } from "@pulumi/pulumi";
import { placeOf } from "../backup/manifest.ts";
import type { load } from "../config/load.ts";
import { readmeOf } from "../platform/readme.ts";
import { formerNames } from "./former-names.ts";
import { Gatehouse } from "./gatehouse.ts";
import { GatehouseCluster } from "./gatehouse-cluster.ts";

type Loaded = ReturnType<typeof load>;

/** Inspects the host or the hosts of a configuration, declares the platform there, and returns the stack's outputs. */
export const declare = (args: Loaded) => ("hosts" in args ? onThree(args) : onOne(args));

async function onOne(args: Exclude<Loaded, { hosts: unknown }>) {
  const facts = await Gatehouse.inspect(args);
  const gatehouse = new Gatehouse("gatehouse", { ...args, facts }, { transformations: [formerNames] });
  const { platform, logins, administrator, recovery } = gatehouse;
  const repository = args.backup && placeOf(args.backup.repository);
  const readme = gatehouse.authentik.url.apply((url) =>
    readmeOf({ stack: getStack(), hosts: [args.host], authentik: { url }, repository }),
  );
  return { platform, logins, administrator, recovery, readme };
}

async function onThree(args: Extract<Loaded, { hosts: unknown }>) {
  const facts = await GatehouseCluster.inspect(args);
  const { platform, administrator } = new GatehouseCluster("gatehouse", { ...args, facts });
  const readme = platform.authentik.url.apply((url) =>
    readmeOf({ stack: getStack(), hosts: Object.values(args.hosts), authentik: { url }, repository: undefined }),
  );
  return { platform, logins: {}, administrator, recovery: null, readme };
}
