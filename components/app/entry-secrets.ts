// Secrets of the apps in a configuration: generated, or with a value that is set apart from the app.
import * as pulumi from "@pulumi/pulumi";
import type { Fault } from "../schema/faults.ts";
import { isTable } from "../sdk/outputs.ts";
import { SECRET_KEYS, type SecretKey } from "./schema.ts";

/** How each secret of an app comes about: those of all its containers, by name. */
export const kindsOf = (
  containers: Readonly<Record<string, Partial<Record<SecretKey, object>>>>,
): Record<string, string> =>
  Object.assign({}, ...Object.values(containers).flatMap((one) => SECRET_KEYS.map((key) => one[key])));

/** A secret of an app that lacks its value, or a value that no app uses. */
export type AppSecretFault = Fault & { remedy?: "set" | "remove" };

/**
 * Faults in the values of configured secrets, by app and name. Both arguments may have faults themselves.
 */
export function* appSecretFaults(apps: unknown, given: unknown): Generator<AppSecretFault> {
  if (!isTable(given)) return yield { path: [], message: "expected keys and values" };
  const secrets = tableOf(given);
  const wanted = Object.entries(tableOf(apps)).flatMap(([app, entry]) =>
    [...configured(tableOf(entry).containers)].map((secret) => [app, secret] as const),
  );
  for (const [app, secret] of wanted)
    if (tableOf(secrets[app])[secret] === undefined)
      yield { path: [app, secret], message: `the app ${app} has no value for this secret`, remedy: "set" };
  for (const [app, values] of Object.entries(secrets)) {
    if (!isTable(values)) yield { path: [app], message: "expected keys and values" };
    else
      for (const [secret, value] of Object.entries(values)) {
        const path = [app, secret];
        if (!wanted.some(([of, name]) => of === app && name === secret))
          yield { path, message: "no container has a configured secret of this name", remedy: "remove" };
        else if (typeof value !== "string" && !pulumi.Output.isInstance(value))
          yield { path, message: "expected text" };
      }
  }
}

/** Something else, which is a fault of its own, has no keys. */
const tableOf = (value: unknown) => (isTable(value) ? value : {}) as Record<string, unknown>;

const configured = (containers: unknown): Set<string> =>
  new Set(
    Object.values(tableOf(containers)).flatMap((container) =>
      SECRET_KEYS.flatMap((key) => Object.entries(tableOf(tableOf(container)[key]))).flatMap(([name, kind]) =>
        kind === "configured" ? name : [],
      ),
    ),
  );
