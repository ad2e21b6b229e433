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
  repair: "put right on the host",
  resend: "sent again",
  delete: "destroyed",
  forget: "forgotten",
};

/** Such as `changed, 2 files (+3 -1)`. */
export function releaseWords({ what, purged, secret, files, drift }: ReleaseChange): string {
  if (secret && what === "delete" && !purged) return "no longer looked after; its secrets stay";
  if (secret) return `${WHAT[what]}, secret`;
  const sum = (key: "added" | "removed") => files.reduce((total, file) => total + file[key], 0);
  const lines =
    files.length > 0
      ? `${files.length} ${files.length === 1 ? "file" : "files"} (+${sum("added")} -${sum("removed")})`
      : "";
  const host = drift.length > 0 && what !== "repair" ? "differs on the host too" : "";
  return [WHAT[what], lines || (what === "update" ? "no file" : ""), host].filter((part) => part !== "").join(", ");
}

const ITEM: Record<ItemChange["what"], string> = {
  create: "made or installed unless it is there",
  update: "changed",
  repair: "put right on the host",
  leave: "left alone",
};

export const itemWords = ({ kind, name, what, notes }: ItemChange): string =>
  `${kind} ${name}: ${kind === "agent" ? notes.join("; ") : [ITEM[what], ...notes].join("; ")}`;

export const databaseWords = ({ kind, name, what }: DatabaseChange): string =>
  what === "created"
    ? `${kind} ${name} is created unless it is there`
    : `${kind} ${name} is no longer looked after; it stays with its data`;

/** Introduces the releases that are sent again unchanged. */
export const AGAIN = "Sent again, with nothing to do on the host:";
