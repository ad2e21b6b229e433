// Secret settings of authentik, which it reads from files.
import { z } from "zod";
import { type Fault, faultsIn } from "../schema/faults.ts";
import { firstFaults } from "./administrator.ts";
import type { AuthentikSettings } from "./schema.ts";
import { SECRET_KEY, secretFaults, variable } from "./variables.ts";
import { knowsPasswordHash, VERSION } from "./version.ts";

const names = z.array(variable);
const NO_ROTATION = `generates a new secret key, but ${SECRET_KEY} is set; remove that to have a new key generated`;

/**
 * Faults in the secret settings, and conflicts with the other settings, which may be invalid themselves. Messages do not
 * contain values.
 */
export function* secretEnvironmentFaults(
  secrets: Readonly<Record<string, unknown>>,
  { version = "", environment = {}, rotation = 1 }: Partial<AuthentikSettings>,
): Generator<Fault> {
  const given = Object.keys(secrets);
  for (const { message } of faultsIn(
    names,
    given.filter((name) => name !== SECRET_KEY),
  ))
    yield { path: ["secretEnvironment"], message };
  // A dot in a path of `pulumi config set --path` makes a table, where authentik's own names have `__`.
  for (const name of given.filter((name) => typeof secrets[name] === "object"))
    yield { path: ["secretEnvironment", name], message: "expected text, got keys and values" };
  for (const name of given.filter((name) => name in environment))
    yield { path: ["secretEnvironment", name], message: "is also in authentik.environment; remove one of them" };
  if (VERSION.test(version))
    for (const { name, message } of [
      ...secretFaults(given, version),
      ...firstFaults(secrets, knowsPasswordHash(version)),
    ])
      yield { path: ["secretEnvironment", name], message };
  if (given.includes(SECRET_KEY) && rotation > 1) yield { path: ["rotation"], message: NO_ROTATION };
}
