// The wording of a report, shared by Markdown, page and terminal.

import type { UnitImpact } from "../predict/impact.ts";
import type { DatabaseChange } from "../report/databases.ts";
import type { ItemChange } from "../report/items.ts";
import type { ReleaseChange } from "../report/report.ts";

/** Such as `restart` or `start, enabled`. */
export const impactWords = ({ verb, enabled }: UnitImpact): string =>
  [...(verb === "none" ? [] : [verb]), ...(enabled === undefined ? [] : [enabled ? "enabled" : "disabled"])].join(
    ", ",
  ) || "nothing";

const WHAT: Record<ReleaseChange["what"], string> = {
  create: "new",
  update: "changed",
  repair: "drift reverted",
  resend: "resent",
  delete: "destroyed",
  forget: "removed from the state only",
};

/** Such as `changed, 2 files (+3 -1)`. */
export function releaseWords({ what, purged, secret, files, drift }: ReleaseChange): string {
  if (secret && what === "delete" && !purged) return "no longer managed; its secrets stay";
  if (secret) return `${WHAT[what]}, secret`;
  const sum = (key: "added" | "removed") => files.reduce((total, file) => total + file[key], 0);
  const lines =
    files.length > 0
      ? `${files.length} ${files.length === 1 ? "file" : "files"} (+${sum("added")} -${sum("removed")})`
      : "";
  const host = drift.length > 0 && what !== "repair" ? "also drifted" : "";
  return [WHAT[what], lines || (what === "update" ? "no files" : ""), host].filter((part) => part !== "").join(", ");
}

const ITEM: Record<ItemChange["what"], string> = {
  create: "created or installed if missing",
  update: "changed",
  repair: "drift reverted",
  leave: "no longer managed",
};

export const itemWords = ({ kind, name, what, notes }: ItemChange): string =>
  `${kind} ${name}: ${kind === "agent" ? notes.join("; ") : [ITEM[what], ...notes].join("; ")}`;

export const databaseWords = ({ kind, name, what }: DatabaseChange): string =>
  what === "created"
    ? `${kind} ${name} is created if missing`
    : `${kind} ${name} is no longer managed; it is not dropped`;

/** Introduces the releases that are sent again unchanged. */
export const AGAIN = "Resent, with nothing to do on the host:";
