import type * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { ADMINISTRATOR, givesPassword } from "./administrator.ts";
import { SECRET_KEY } from "./variables.ts";

type Variables = Record<string, pulumi.Input<string>>;

/**
 * The secret settings of authentik on several hosts with one database: one key, and one first password.
 *
 * @param given those of the operator, which are used instead.
 */
export function sharedSecrets(name: string, given: Variables, parent: pulumi.Resource) {
  const generated = (what: string, length: number) =>
    new random.RandomPassword(`${name}-${what}`, { length, special: false }, { parent }).result;
  const key = given[SECRET_KEY] ?? generated("secret-key", 64);
  const password = givesPassword(Object.keys(given)) ? undefined : generated("first-password", 48);
  const secretEnvironment: Variables = {
    ...given,
    [SECRET_KEY]: key,
    ...(password && { AUTHENTIK_BOOTSTRAP_PASSWORD: password }),
  };
  return { secretEnvironment, administrator: password ? { name: ADMINISTRATOR, password } : null };
}
