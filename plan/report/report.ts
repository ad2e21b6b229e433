// The plan as data, from which Markdown, page, terminal output and JSON are made.

import type { Difference } from "../../protocol/facts.ts";
import type { FileChange } from "../predict/files.ts";
import type { UnitImpact } from "../predict/impact.ts";
import type { DatabaseChange } from "./databases.ts";
import type { Drawing } from "./doors.ts";
import type { ItemChange } from "./items.ts";

/** The changes of a release. */
export interface ReleaseChange {
  name: string;
  /** `resend`: sent again unchanged. `forget`: removed from the Pulumi state only; the host is not contacted. */
  what: "create" | "update" | "repair" | "resend" | "delete" | "forget";
  /** Whether its data is deleted with it. */
  purged: boolean;
  /** The content of a secret release is never shown. */
  secret: boolean;
  files: FileChange[];
  /** Sentences about other changes of the manifest. */
  notes: string[];
  /** The drift that this change reverts. */
  drift: Difference[];
}

export interface Totals {
  files: number;
  restarts: number;
  reloads: number;
  starts: number;
  stops: number;
  /** Deleted releases; secret releases count only if their secrets are deleted too. */
  destroyed: number;
  /** New databases. */
  databases: number;
  /** Items with drift that is reverted. */
  repairs: number;
}

/** Written as JSON for other programs. Keys may be added within a version, but never renamed or removed. */
export interface Report {
  schemaVersion: 2;
  project: string;
  stack: string;
  /** Whether there is anything to do. */
  changes: boolean;
  /**
   * Why the host was not inspected, or not completely, so that its drift is unknown: it cannot be reached, drift checking
   * is off, or an operation is in progress there, which a warning names.
   * @default - it was inspected
   */
  notInspected?: "unreachable" | "off" | "busy";
  /** The first line of each format: why the host was not inspected, and `2 files, 1 reload, 0 restarts, no data touched`. */
  summary: string;
  totals: Totals;
  /** Sentences about changes that may alter existing data; empty if there are none. */
  data: string[];
  units: UnitImpact[];
  releases: ReleaseChange[];
  items: ItemChange[];
  databases: DatabaseChange[];
  /** Warnings of the program, except those about drift. */
  warnings: string[];
  /** Access to sockets once the plan has been applied. */
  doors: Drawing;
}
