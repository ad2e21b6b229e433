// The first administrator. Without one, authentik's setup belongs to whoever opens it first.
import { createHash } from "node:crypto";
import { envFile } from "../render/grammars.ts";
import type { Secret } from "./secrets.ts";

/** The account that authentik itself makes. */
export const ADMINISTRATOR = "akadmin";
/** What authentik reads at its first start, from the worker's environment alone: by `file://` none of it works. */
export const FIRST = /^AUTHENTIK_BOOTSTRAP_(PASSWORD|PASSWORD_HASH|TOKEN)$/;
const PASSWORD = "AUTHENTIK_BOOTSTRAP_PASSWORD";
const HASH = "AUTHENTIK_BOOTSTRAP_PASSWORD_HASH";

/**
 * Where authentik's setup is, below the path that it answers at: closed to everybody from outside. Until 2026.5 it belonged to
 * whoever opened it, and after that first visit to nobody.
 */
export const setupPaths = (path: string): string[] =>
  ["if/flow", "api/v3/flows/executor"].map((place) => `${path}${place}/initial-setup*`);

/** Whether the operator gives a password, so that none is generated. */
export const givesPassword = (names: readonly string[]): boolean => names.includes(PASSWORD) || names.includes(HASH);

/** The file of the worker's environment, which root alone reads: the container gets it from Podman. */
export function firstStart(given: Readonly<Record<string, string>>, password: string | undefined): Secret {
  const all = password === undefined ? given : { ...given, [PASSWORD]: password };
  const content = Object.entries(all).map(([name, value]) => `${name}=${envFile(value)}\n`);
  return {
    content: content.join(""),
    reader: "root",
    // The host keeps the password that it generated as long as what is given beside it is the same.
    ...(password !== undefined && { rotation: createHash("sha256").update(JSON.stringify(given)).digest("hex") }),
  };
}

/** What is wrong with secrets for the first start; no value is repeated. */
export function* firstFaults(
  given: Readonly<Record<string, unknown>>,
  knowsHash: boolean,
): Generator<{ name: string; message: string }> {
  if (PASSWORD in given && HASH in given) yield { name: HASH, message: `${PASSWORD} is given too; take one out` };
  else if (HASH in given && !knowsHash)
    yield { name: HASH, message: `is known from authentik 2026.5 on; give ${PASSWORD}, or none to have one generated` };
  for (const [name, value] of Object.entries(given))
    if (FIRST.test(name) && !ONE_LINE.test(String(value)))
      yield { name, message: "expected one line, without blanks at its ends or a quote or bracket at its start" };
}

// As it stands in a file of variables, which Podman and two parts of authentik read, each in its own way.
const ONE_LINE = /^[^\s\p{Cc}"'`[{]([^\p{Cc}]*[^\s\p{Cc}])?$/u;
