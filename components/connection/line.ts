import * as pulumi from "@pulumi/pulumi";
import type { Facts } from "../../protocol/facts.ts";
import type { Claim, UnmanagedObject } from "../../protocol/things.ts";
import { plain } from "../render/plain.ts";
import { question } from "./agent.ts";
import { asRoot } from "./connection.ts";
import { complaint, type Line, open, type Plain } from "./ssh.ts";

/** How long a connection stays open for another query, in milliseconds. A later query opens a new connection. */
const PATIENCE = 1000;

interface Kept {
  line: Line | undefined;
  connection: Plain;
}
const kept = new WeakMap<Facts, Kept>();

/** Keeps the connection of the facts open, because the resources declared with them may need one more query. */
export function keep(facts: Facts, line: Line, connection: Plain): void {
  const entry: Kept = { line, connection };
  kept.set(facts, entry);
  setTimeout(() => hangUp(entry), PATIENCE);
}

function hangUp(entry: Kept): void {
  entry.line?.close();
  entry.line = undefined;
}

/** Closes the connection; no more queries follow. */
export function close(facts: Facts): void {
  const entry = kept.get(facts);
  if (entry) hangUp(entry);
}

/**
 * Finds the objects on the host that use the names in these claims and that gatehouse did not create. Returns none for
 * facts that did not come from `inspect`.
 *
 * @throws pulumi.RunError if the query fails on the host.
 */
export async function unmanagedObjects(facts: Facts, claims: Claim[]): Promise<UnmanagedObject[]> {
  const entry = kept.get(facts);
  if (!entry) return [];
  const { connection } = entry;
  const line = entry.line ?? (await open(connection));
  entry.line = undefined;
  try {
    const { status, stdout, stderr } = await line.run(asRoot(connection, "sh -s"), question(claims));
    if (status !== 0) throw new pulumi.RunError(complaint(connection, plain(stderr) || `exit status ${status}`));
    return JSON.parse(stdout) as UnmanagedObject[];
  } finally {
    line.close();
  }
}
