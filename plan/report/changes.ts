// Builds the report from a preview.

import type { Verb } from "../predict/effect.ts";
import { fileChanges } from "../predict/files.ts";
import { impactOf, relocated, relocationWords, saved, type UnitImpact } from "../predict/impact.ts";
import { inProgress } from "../read/due.ts";
import { type ReleaseStep, releasesOf } from "../read/releases.ts";
import type { Preview } from "../read/steps.ts";
import { type DatabaseChange, databaseChanges, ownerChanges } from "./databases.ts";
import { doorsOf } from "./doors.ts";
import { itemChanges } from "./items.ts";
import { notesOn } from "./notes.ts";
import type { ReleaseChange, Report, Totals } from "./report.ts";
import { summaryOf } from "./summary.ts";

/** The report for one preview; a pure function. */
export function reportOf(preview: Preview): Report {
  const steps = releasesOf(preview);
  const units = impactOf(steps);
  const items = itemChanges(preview);
  const databases = steps
    .filter(({ what }) => what !== "delete" && what !== "forget")
    .flatMap(({ old, new: next }) => databaseChanges(old, next));
  const releases = steps.flatMap(releaseChange);
  const data = [guarded, unsuited, moved, reowned, moving, purging].flatMap((notes) => steps.flatMap(notes));
  const repairs = [...releases, ...items].filter(({ what }) => what === "repair").length;
  const totals = { ...count(releases, units), databases: created(databases), repairs };
  const first = { schemaVersion: 2 as const, project: preview.project, stack: preview.stack };
  const changes = { changes: preview.touched > 0, ...notInspected(preview) };
  return {
    ...first,
    ...changes,
    summary: summaryOf({ ...changes, totals, data }),
    totals,
    data,
    units,
    releases,
    items,
    databases,
    warnings: [...preview.warnings, ...unfinished(preview), ...reconnected(preview, steps)],
    doors: doorsOf(preview, steps, units),
  };
}

function notInspected(preview: Preview): Pick<Report, "notInspected"> {
  if (!preview.facts) return { notInspected: preview.unreachable === undefined ? "off" : "unreachable" };
  return inProgress(preview).length > 0 ? { notInspected: "busy" } : {};
}

const unfinished = (preview: Preview): string[] =>
  inProgress(preview).map(
    ({ item, busy }) => `${item} is not known yet: ${busy} is in progress on the host; plan again when it has finished`,
  );

/** Pulumi deletes a resource over the connection in its state, not over the one of the configuration. */
function reconnected({ steps }: Preview, releases: readonly ReleaseStep[]): string[] {
  const removed = releases.filter(({ what }) => what === "delete").map(({ name }) => name);
  if (removed.length === 0 || !steps.some(({ differs }) => differs.includes("connection"))) return [];
  return [
    `the connection to the host changes, and ${removed.join(", ")} would still be removed over the old one: keep the old key, user and address working until this is applied, or change the connection in an \`up\` of its own first`,
  ];
}

function releaseChange(step: ReleaseStep): ReleaseChange[] {
  const { name, what, secret, old, new: next, drift } = step;
  if (what === "same") return [];
  const change = { name, what, purged: isPurged(step), secret, drift: [...drift] };
  if (what === "forget")
    return [{ ...change, files: [], notes: ["the host is not contacted; everything stays there"] }];
  if (what === "delete") return [{ ...change, files: fileChanges(old, undefined), notes: deletionNotes(step) }];
  return [{ ...change, files: fileChanges(old, next), notes: [...notesOn(old, next), ...purgeNotes(step)] }];
}

/** Whether it is deleted with its data. All of a secret release is data; other releases declare theirs. */
const isPurged = ({ what, purge, secret, old }: ReleaseStep): boolean =>
  what === "delete" && purge.was && (secret || (old?.data.length ?? 0) > 0);

function deletionNotes(step: ReleaseStep): string[] {
  if (isPurged(step)) return ["its files and its data are deleted, after the data has been copied"];
  if (step.secret) return ["secrets are data: they stay on the host"];
  return [
    "its files are removed; files that existed before its first release are restored",
    ...(step.old?.directories ?? []).map(({ path }) => `directory ${path} stays with its contents`),
  ];
}

/** A note if the update changes the effect of a later deletion on the data. */
const purgeNotes = ({ what, purge: { was, is } }: ReleaseStep): string[] =>
  what === "create" || was === is
    ? []
    : [is ? "deleting it will also delete its data" : "deleting it will keep its data"];

/** Data that is deleted permanently, and the location of its copy. */
const purging = (step: ReleaseStep): string[] =>
  isPurged(step) ? [`the data of ${step.name} is copied to /var/backups/gatehouse/${step.name}, and then deleted`] : [];

/** Data that a new image may alter, and which is therefore saved first. */
const guarded = ({ old, new: next }: ReleaseStep): string[] =>
  saved(old, next).map(({ guard }) => `${guard.name} is saved first, since the new image may alter it`);

/** Images that may be unable to use the data of the ones that they replace. */
const unsuited = ({ old, new: next }: ReleaseStep): string[] =>
  (next?.images ?? []).flatMap((image) => (old?.images ?? []).flatMap((before) => warning(image, before) ?? []));

function warning(image: Image, before: Image): string | undefined {
  const older = isLower(image.version, before.version);
  if (leaps({ ...image, downgrade: older }, before))
    return `${image.reference} is more than one series ${older ? "before" : "after"} ${before.reference}: refused`;
  if (!older) return undefined;
  const refused = image.permission ? `refused, unless ${image.permission} is set` : "refused";
  return `${image.reference} is older than ${before.reference}: ${image.downgrade ? "its data may be unusable" : refused}`;
}

type Image = NonNullable<ReleaseStep["new"]>["images"][number];

/** Whether the agent refuses an image as too far from another in series. Mirrors its protocol/manifest.py. */
const leaps = (image: Image, before: Image): boolean =>
  image.series !== undefined &&
  before.series !== undefined &&
  ![image.series, ...image.follows].includes(before.series) &&
  !(image.downgrade && before.follows.includes(image.series));

const isLower = (one = "", other = ""): boolean =>
  one !== "" && one.localeCompare(other, "en", { numeric: true }) < 0 && other !== "";

const reowned = ({ old, new: next }: ReleaseStep): string[] => ownerChanges(old, next);

/** Services that will load their data from another file at startup. */
const moved = ({ old, new: next }: ReleaseStep): string[] =>
  (next?.holdings ?? []).flatMap((holding) => {
    const before = old?.holdings.find(({ name }) => name === holding.name);
    if (!before || !("appendonly" in holding && "appendonly" in before) || holding.appendonly === before.appendonly)
      return [];
    const file = holding.appendonly ? "the append-only file" : "the snapshot";
    return [`${holding.name} are written to ${file} first, which ${holding.unit} reads from then on`];
  });

/** Data that moves to another directory. */
const moving = ({ old, new: next }: ReleaseStep): string[] => relocated(old, next).map(relocationWords);

const created = (databases: readonly DatabaseChange[]): number =>
  databases.filter(({ kind, what }) => kind === "database" && what === "created").length;

function count(
  releases: readonly ReleaseChange[],
  units: readonly UnitImpact[],
): Omit<Totals, "databases" | "repairs"> {
  const of = (verb: Verb) => units.filter((unit) => unit.verb === verb).length;
  return {
    files: releases.reduce((sum, { files }) => sum + files.length, 0),
    restarts: of("restart"),
    reloads: of("reload"),
    starts: of("start"),
    stops: of("stop"),
    destroyed: releases.filter(({ what, purged, secret }) => what === "delete" && (purged || !secret)).length,
  };
}
