import { writeFileSync } from "node:fs";
import type { Inspection } from "../../protocol/inspection.ts";

/**
 * The file to write the inspection to, which `npm run plan` and `npm run drift` set. Without it, differences are reported as
 * Pulumi warnings on the commands that repair them.
 */
const file = (): string | undefined => process.env.GATEHOUSE_FACTS || undefined;

/** Whether the caller reads the differences as data and needs no warnings. */
export const isRecorded = (): boolean => file() !== undefined;

/** Writes the inspection to the file, if one is set. Only the current user can read it. */
export function record(inspection: Inspection): void {
  const path = file();
  if (path !== undefined) writeFileSync(path, JSON.stringify(inspection), { mode: 0o600 });
}
