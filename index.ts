// The platform of a stack, from its configuration. components/gatehouse/gatehouse.ts wires the services together.
import { getStack } from "@pulumi/pulumi";
import { placeOf } from "./components/backup/manifest.ts";
import { load } from "./components/config/load.ts";
import { formerNames } from "./components/gatehouse/former-names.ts";
import { Gatehouse } from "./components/gatehouse/gatehouse.ts";
import { readmeOf } from "./components/platform/readme.ts";
import { quiet } from "./components/sdk/quiet.ts";

quiet();

const args = load();
const facts = await Gatehouse.inspect(args);
const gatehouse = new Gatehouse("gatehouse", { ...args, facts }, { transformations: [formerNames] });

/** Outputs for other stacks. */
export const platform = gatehouse.platform;

/** Passwords of PostgreSQL roles and URLs of Valkey users. Secret, and therefore a separate output. */
export const logins = gatehouse.logins;

/** First login to a new authentik, secret; null if the configuration sets the password. */
export const administrator = gatehouse.administrator;

/**
 * Secrets that a restore on another host needs; null without a backup. Store them away from both the host and the
 * state.
 */
export const recovery = gatehouse.recovery;

/** Overview for people: `pulumi stack output readme`. */
export const readme = gatehouse.authentik.url.apply((url) =>
  readmeOf({
    stack: getStack(),
    host: args.host,
    authentik: { url },
    repository: args.backup && placeOf(args.backup.repository),
  }),
);
