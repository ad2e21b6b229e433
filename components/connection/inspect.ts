import { setTimeout } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { type Facts, factsSchema } from "../../protocol/facts.ts";
import { plain } from "../render/plain.ts";
import { known } from "../sdk/known.ts";
import { type Expectations, inspection, type KnownExpectations } from "./agent.ts";
import { asRoot, type CompleteConnection, type Connection, complete } from "./connection.ts";
import { record } from "./recorded-facts.ts";
import { keep } from "./session.ts";
import { failureMessage, type KnownConnection, noShell, open, Premature, runsCommands, Unreachable } from "./ssh.ts";

/**
 * Inspects the host in one read-only SSH session, before any resource is declared. Also reports a wrong address, key or
 * host key once and clearly; the command plugin would retry and print its own errors.
 *
 * In a preview, a host that cannot be reached is a warning and the result is `undefined`, unless the inspection is
 * required; all other problems are errors. This includes a host whose address is not known yet, because the same program
 * creates it: the update waits until it exists, and then for `connection.wait` seconds until it answers.
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
    const facts = await read(await reachable(complete(connection)), await knownExpectations(expectations));
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

/** @throws Unreachable if a value is not known yet. */
async function reachable(connection: CompleteConnection): Promise<KnownConnection> {
  const found = await known(connection);
  if (found) return found.value;
  const each = Object.entries(connection).map(async ([key, value]) => ((await known(value)) ? [] : [`host.${key}`]));
  const unknown = (await Promise.all(each)).flat().join(", ");
  const message = `Not known before the update: ${unknown}. It comes from a server or a stack that does not exist yet, so only the update checks whether the host can be used, and whether other objects on it have the names of this program`;
  throw new Unreachable(message, new pulumi.RunError(message));
}

/** Without those that are not known yet. */
async function knownExpectations({ platform, gids = {} }: Expectations): Promise<KnownExpectations> {
  const each = Object.entries(gids).map(async ([name, gid]) => [name, (await known(gid))?.value] as const);
  return { platform, gids: Object.fromEntries(await Promise.all(each)) };
}

/** Reads the facts. During an update, a host that is not ready yet is tried again until the wait is over. */
async function read(connection: KnownConnection, expectations: KnownExpectations): Promise<Facts> {
  const end = Date.now() + (pulumi.runtime.isDryRun() ? 0 : connection.wait * 1000);
  for (;;) {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    try {
      return await readOnce(connection, inspection(expectations, left));
    } catch (error) {
      if (left === 0 || !(error instanceof Unreachable || error instanceof Premature)) throw error;
      await setTimeout(1000);
    }
  }
}

async function readOnce(connection: KnownConnection, script: string): Promise<Facts> {
  const session = await open(connection);
  try {
    const result = await session.run(asRoot(connection, "sh -s"), script);
    const answer = json(result.stdout);
    if (result.status === undefined) throw new Premature(failureMessage(connection, result));
    if (result.status !== 0 || answer === undefined)
      throw new pulumi.RunError(
        (await runsCommands(session)) ? failureMessage(connection, result) : noShell(connection),
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
