import { writeFileSync } from "node:fs";
import type { Facts } from "../../protocol/facts.ts";

/**
 * The file to write the facts to, which `npm run plan` and `npm run drift` set. Without it, differences are reported as
 * Pulumi warnings on the commands that repair them.
 */
const file = (): string | undefined => process.env.GATEHOUSE_FACTS || undefined;

/** Whether the caller reads the differences as data and needs no warnings. */
export const isRecorded = (): boolean => file() !== undefined;

/** Writes the facts to the file, if one is set. Only the current user can read it. */
export function record(facts: Facts): void {
  const path = file();
  if (path !== undefined) writeFileSync(path, JSON.stringify(facts), { mode: 0o600 });
}
