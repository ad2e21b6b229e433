// The platform of a stack, from its configuration: on one host (components/gatehouse/gatehouse.ts wires the services
// together) or on three.
import { load } from "./components/config/load.ts";
import { declare } from "./components/gatehouse/declare.ts";
import { quiet } from "./components/sdk/quiet.ts";

quiet();

const declared = await declare(load());

/** Outputs for other stacks. */
export const platform = declared.platform;

/** Passwords of PostgreSQL roles and URLs of Valkey users. Secret, and therefore a separate output. */
export const logins = declared.logins;

/** First login to a new authentik, secret; null if the configuration sets the password. */
export const administrator = declared.administrator;

/**
 * Secrets that a restore on another host needs; null without a backup. Store them away from both the host and the
 * state.
 */
export const recovery = declared.recovery;

/** Overview for people: `pulumi stack output readme`. */
export const readme = declared.readme;
