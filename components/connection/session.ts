import * as pulumi from "@pulumi/pulumi";
import type { Facts } from "../../protocol/facts.ts";
import type { Question, UnmanagedObject } from "../../protocol/things.ts";
import { lookup } from "./agent.ts";
import { asRoot } from "./connection.ts";
import { failureMessage, type KnownConnection, open, type Session } from "./ssh.ts";

/** How long a connection stays open for another query, in milliseconds. A later query opens a new connection. */
const KEEP_OPEN = 1000;

interface Kept {
  session: Session | undefined;
  connection: KnownConnection;
}
const kept = new WeakMap<Facts, Kept>();

/** Keeps the connection of the facts open, because the resources declared with them may need one more query. */
export function keep(facts: Facts, session: Session, connection: KnownConnection): void {
  const entry: Kept = { session, connection };
  kept.set(facts, entry);
  setTimeout(() => closeKept(entry), KEEP_OPEN);
}

function closeKept(entry: Kept): void {
  entry.session?.close();
  entry.session = undefined;
}

/** Closes the connection; no more queries follow. */
export function close(facts: Facts): void {
  const entry = kept.get(facts);
  if (entry) closeKept(entry);
}

/**
 * Finds the objects on the host that use the names in these claims and that gatehouse did not create, and records the
 * wanted releases. Returns none for facts that did not come from `inspect`.
 *
 * @throws pulumi.RunError if the query fails on the host.
 */
export async function unmanagedObjects(facts: Facts, question: Question): Promise<UnmanagedObject[]> {
  const entry = kept.get(facts);
  if (!entry) return [];
  const { connection } = entry;
  const session = entry.session ?? (await open(connection));
  entry.session = undefined;
  try {
    const result = await session.run(asRoot(connection, "sh -s"), lookup(question));
    if (result.status !== 0) throw new pulumi.RunError(failureMessage(connection, result));
    return JSON.parse(result.stdout) as UnmanagedObject[];
  } finally {
    session.close();
  }
}
