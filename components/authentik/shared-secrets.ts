import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";
import { ADMINISTRATOR, givesPassword } from "./administrator.ts";
import { SECRET_KEY } from "./variables.ts";

type Variables = Record<string, pulumi.Input<string>>;

/**
 * The secret settings of authentik on several hosts with one database: one key, and one first password. If the program had
 * this platform on one host before, they are those of that authentik.
 *
 * @param given those of the operator, which are used instead.
 */
export function sharedSecrets(name: string, given: Variables, rotation: number, parent: pulumi.Resource) {
  const alone = pulumi.createUrn(
    `${name}-authentik`,
    "gatehouse:index:Authentik",
    pulumi.createUrn(name, "gatehouse:index:Gatehouse"),
  );
  const generated = (what: string, length: number, keepers?: Record<string, string>) =>
    new random.RandomPassword(
      `${name}-${what}`,
      { length, special: false, keepers },
      { parent, aliases: [{ name: `${name}-authentik-${what}`, parent: alone }] },
    ).result;
  const key = given[SECRET_KEY] ?? generated("secret-key", 64, { rotation: String(rotation) });
  const password = givesPassword(Object.keys(given)) ? undefined : generated("first-password", 48);
  const secretEnvironment: Variables = {
    ...given,
    [SECRET_KEY]: key,
    ...(password && { AUTHENTIK_BOOTSTRAP_PASSWORD: password }),
  };
  return { secretEnvironment, administrator: password ? { name: ADMINISTRATOR, password } : null };
}
