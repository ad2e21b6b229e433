import * as pulumi from "@pulumi/pulumi";
import { type Facts, factsSchema } from "../../protocol/facts.ts";
import { plain } from "../render/plain.ts";
import { known } from "../sdk/known.ts";
import { type Expectations, inspection } from "./agent.ts";
import { asRoot, type Connection, complete } from "./connection.ts";
import { record } from "./recorded-facts.ts";
import { keep } from "./session.ts";
import { failureMessage, type KnownConnection, noShell, open, runsCommands, Unreachable } from "./ssh.ts";

/**
 * Inspects the host in one read-only SSH session, before any resource is declared. Also reports a wrong address, key or
 * host key once and clearly; the command plugin would retry and print its own errors.
 *
 * In a preview, an unreachable host is a warning and the result is `undefined`, unless the inspection is required; all
 * other problems are errors. A host counts as unreachable if its address is an Output that is not known yet.
 *
 * @param mode `required` also fails in a preview of a host that cannot be reached.
 * @returns the facts for a `Host`.
 * @throws pulumi.RunError with the problem and the remedy.
 * @example
 * const debian = { platform: platforms.debian };
 * new Host("host", { connection, ...debian, facts: await inspect(connection, debian, "on") });
 */
export async function inspect(
  connection: Connection,
  expectations: Expectations,
  mode: "on" | "required",
): Promise<Facts | undefined> {
  try {
    const reachable = await known(complete(connection));
    if (!reachable) throw new Unreachable(UNKNOWN_ADDRESS, new pulumi.RunError(UNKNOWN_ADDRESS));
    const facts = await read(reachable.value, expectations);
    record({ facts });
    for (const warning of facts.warnings) await pulumi.log.warn(plain(warning));
    return facts;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    if (mode === "required" || !pulumi.runtime.isDryRun()) throw error.refusal;
    record({ unreachable: error.message });
    await pulumi.log.warn(`${error.message}. The preview continues without checking the host for drift.`);
    return undefined;
  }
}

const UNKNOWN_ADDRESS = "The host's address comes from another stack and is not known yet";

async function read(connection: KnownConnection, expectations: Expectations): Promise<Facts> {
  const session = await open(connection);
  try {
    const result = await session.run(asRoot(connection, "sh -s"), inspection(expectations));
    const answer = json(result.stdout);
    if (result.status !== 0 || answer === undefined)
      throw new pulumi.RunError(
        result.status === undefined || (await runsCommands(session))
          ? failureMessage(connection, result)
          : noShell(connection),
      );
    const facts = factsSchema.safeParse(answer);
    if (!facts.success) throw new pulumi.RunError(plain(`${connection.address}: ${facts.error.issues[0]?.message}`));
    keep(facts.data, session, connection);
    return facts.data;
  } catch (error) {
    session.close();
    throw error;
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
