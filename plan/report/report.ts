// The plan as data; what the Markdown, the page and the JSON are made from.

import type { Difference } from "../../protocol/facts.ts";
import type { FileChange } from "../predict/files.ts";
import type { UnitImpact } from "../predict/impact.ts";
import type { DatabaseChange } from "./databases.ts";
import type { Drawing } from "./doors.ts";
import type { ItemChange } from "./items.ts";

/** What happens to a release, file by file. */
export interface ReleaseChange {
  name: string;
  /** `resend`: sent again as it is, which changes nothing. `forget`: Pulumi lets go of it, the host is not asked. */
  what: "create" | "update" | "repair" | "resend" | "delete" | "forget";
  /** Whether it is deleted together with its data. */
  purged: boolean;
  /** That it changes is all that is told of a secret release. */
  secret: boolean;
  files: FileChange[];
  /** Other changes of its manifest, in sentences. */
  notes: string[];
  /** How the host differs from what the last apply left; put right by this. */
  drift: Difference[];
}

export interface Totals {
  files: number;
  restarts: number;
  reloads: number;
  starts: number;
  stops: number;
  /** Releases whose units stop and whose files go; secrets count where they go too. */
  destroyed: number;
  /** Databases that are created. */
  databases: number;
  /** Items that differ on the host and are put right. */
  repairs: number;
}

/** Written as JSON for other programs: a key is added without a new version, never renamed or taken out. */
export interface Report {
  schemaVersion: 2;
  project: string;
  stack: string;
  /** Whether there is anything to do at all. */
  changes: boolean;
  /** All of it in one line, such as `2 files, 1 reload, 0 restarts, no data touched`. */
  summary: string;
  totals: Totals;
  /** What may alter data that is there, in sentences; empty when none is touched. */
  data: string[];
  units: UnitImpact[];
  releases: ReleaseChange[];
  items: ItemChange[];
  databases: DatabaseChange[];
  /** What the program warned of, apart from differences on the host. */
  warnings: string[];
  /** Who may use which socket, once the plan is carried out. */
  doors: Drawing;
}
