import * as pulumi from "@pulumi/pulumi";
import type { Facts } from "../../protocol/facts.ts";
import type { Claim, Stranger } from "../../protocol/things.ts";
import { plain } from "../render/plain.ts";
import { question } from "./agent.ts";
import { asRoot } from "./connection.ts";
import { complaint, type Line, open, type Plain } from "./ssh.ts";

/** How long a connection waits for a question, in milliseconds. A later one opens another. */
const PATIENCE = 1000;

interface Kept {
  line: Line | undefined;
  connection: Plain;
}
const kept = new WeakMap<Facts, Kept>();

/** Keeps open what the facts came over, since what is declared with them may have one more question. */
export function keep(facts: Facts, line: Line, connection: Plain): void {
  const entry: Kept = { line, connection };
  kept.set(facts, entry);
  setTimeout(() => hangUp(entry), PATIENCE);
}

function hangUp(entry: Kept): void {
  entry.line?.close();
  entry.line = undefined;
}

/** Nothing more will be asked. */
export function close(facts: Facts): void {
  const entry = kept.get(facts);
  if (entry) hangUp(entry);
}

/**
 * What is on the host by the names of these claims that gatehouse did not make. Facts that came from nowhere know of none.
 *
 * @throws pulumi.RunError when the host cannot answer.
 */
export async function strangers(facts: Facts, claims: Claim[]): Promise<Stranger[]> {
  const entry = kept.get(facts);
  if (!entry) return [];
  const { connection } = entry;
  const line = entry.line ?? (await open(connection));
  entry.line = undefined;
  try {
    const { status, stdout, stderr } = await line.run(asRoot(connection, "sh -s"), question(claims));
    if (status !== 0) throw new pulumi.RunError(complaint(connection, plain(stderr) || `exit status ${status}`));
    return JSON.parse(stdout) as Stranger[];
  } finally {
    line.close();
  }
}
