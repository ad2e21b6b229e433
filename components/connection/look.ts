import { writeFileSync } from "node:fs";
import type { Facts } from "../../protocol/facts.ts";

/**
 * The file to which the program writes what it saw of the host, as `npm run plan` and `npm run drift` ask. Without it,
 * differences are warnings of Pulumi at the commands that repair them.
 */
const file = (): string | undefined => process.env.GATEHOUSE_LOOK || undefined;

/** Whether the caller reads the differences as data, so that they need no warnings. */
export const isRecorded = (): boolean => file() !== undefined;

/** Writes what the host answered, if the caller asks for it. Readable by the caller alone. */
export function record(facts: Facts): void {
  const path = file();
  if (path !== undefined) writeFileSync(path, JSON.stringify(facts), { mode: 0o600 });
}
