// The first administrator. Without one, the first visitor could complete authentik's setup.
import { createHash } from "node:crypto";
import { envFile } from "../render/grammars.ts";
import type { Secret } from "./secrets.ts";

/** The account that authentik itself creates. */
export const ADMINISTRATOR = "akadmin";
/**
 * Variables that authentik reads at its first start, only from the worker's environment: `file://` does not work for
 * them.
 */
export const FIRST = /^AUTHENTIK_BOOTSTRAP_(PASSWORD|PASSWORD_HASH|TOKEN)$/;
const PASSWORD = "AUTHENTIK_BOOTSTRAP_PASSWORD";
const HASH = "AUTHENTIK_BOOTSTRAP_PASSWORD_HASH";

/**
 * Paths of the setup, below the base path of authentik; Caddy blocks them. Up to 2026.5 the first visitor could
 * complete the setup, and after that visit it was closed.
 */
export const setupPaths = (path: string): string[] =>
  ["if/flow", "api/v3/flows/executor"].map((place) => `${path}${place}/initial-setup*`);

/** Whether the operator sets a password, so that none is generated. */
export const givesPassword = (names: readonly string[]): boolean => names.includes(PASSWORD) || names.includes(HASH);

/** An env file for the worker that only root can read: Podman passes the variables to the container. */
export function firstStart(given: Readonly<Record<string, string>>, password: string | undefined): Secret {
  const all = password === undefined ? given : { ...given, [PASSWORD]: password };
  const content = Object.entries(all).map(([name, value]) => `${name}=${envFile(value)}\n`);
  return {
    content: content.join(""),
    reader: "root",
    // The host keeps its generated password as long as the other values are the same.
    ...(password !== undefined && { rotation: createHash("sha256").update(JSON.stringify(given)).digest("hex") }),
  };
}

/** Faults in the secrets for the first start. Messages do not contain values. */
export function* firstFaults(
  given: Readonly<Record<string, unknown>>,
  knowsHash: boolean,
): Generator<{ name: string; message: string }> {
  if (PASSWORD in given && HASH in given) yield { name: HASH, message: `${PASSWORD} is also set; remove one of them` };
  else if (HASH in given && !knowsHash)
    yield {
      name: HASH,
      message: `requires authentik 2026.5 or later; set ${PASSWORD} instead, or neither to have a password generated`,
    };
  for (const [name, value] of Object.entries(given))
    if (FIRST.test(name) && !ONE_LINE.test(String(value)))
      yield {
        name,
        message: "expected one line without leading or trailing blanks and without a leading quote or bracket",
      };
}

// Allowed in an env file, which Podman and two parts of authentik each parse differently.
const ONE_LINE = /^[^\s\p{Cc}"'`[{]([^\p{Cc}]*[^\s\p{Cc}])?$/u;
