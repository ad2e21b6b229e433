// What happens to each unit, and why. Mirrors the agent's release/plan.py and release/remove.py, from manifests alone.
import type { Read, ReadFile } from "../read/documents.ts";
import { type ReleaseStep, rotating } from "../read/releases.ts";
import { type Effect, VERBS, type Verb } from "./effect.ts";
import { fileChanges } from "./files.ts";
import { isDown, isSwitched, repairOf } from "./repair.ts";
import { propagated } from "./ties.ts";

/** What `pulumi up` does to a unit. */
export interface UnitImpact {
  unit: string;
  /** The strongest effect. */
  verb: Verb;
  /** Which files, images or other units cause it. */
  reasons: string[];
  /** Set if the unit is also enabled (true) or disabled (false). */
  enabled?: boolean;
}

/** Every unit of the stack, those with the strongest effect first. */
export function impactOf(releases: readonly ReleaseStep[]): UnitImpact[] {
  const running = new Set(releases.flatMap(({ old, drift }) => unitsOf(old).filter((unit) => !isDown(unit, drift))));
  const direct = releases.flatMap((release) => effectsOf(release, rotating(releases), running));
  const files = (age: "old" | "new") => releases.flatMap((release) => release[age]?.files ?? []);
  const effects = [...direct, ...propagated(direct, { before: files("old"), after: files("new") }, running)];
  const units = [
    effects.map(({ unit }) => unit),
    ...releases.flatMap(({ old, new: next }) => [unitsOf(old), unitsOf(next)]),
  ];
  return [...new Set(units.flat())]
    .map((unit) => ({ ...strongest(unit, effects), ...enablement(unit, releases) }))
    .sort((a, b) => VERBS.indexOf(a.verb) - VERBS.indexOf(b.verb) || (a.unit < b.unit ? -1 : 1));
}

const unitsOf = (read: Read | undefined): string[] => read?.units.map(({ name }) => name) ?? [];

function effectsOf(release: ReleaseStep, rotated: ReadonlySet<string>, running: ReadonlySet<string>): Effect[] {
  const { what, old, new: next, name, drift } = release;
  if (what === "delete") return removal(release, running);
  if (!next) return [];
  const names = unitsOf(next);
  const dropped = unitsOf(old).filter((unit) => !names.includes(unit));
  const concerned = [
    ...changed(old, next),
    ...merged(next, rotated),
    ...drift.flatMap((difference) => repairOf(difference, old, next)),
    ...guarded(old, next),
    ...relocated(old, next).flatMap((move) =>
      names.map((unit) => ({ unit, verb: "restart" as const, reason: relocationWords(move) })),
    ),
  ];
  // The state of a unit outside all releases is unknown; assume that it is running.
  const down = (unit: string) => names.includes(unit) && !running.has(unit);
  return [
    ...dropped.map((unit) => ({ unit, verb: "stop" as const, reason: `it is no longer in release ${name}` })),
    ...concerned.filter(({ unit }) => !down(unit) && !dropped.includes(unit)),
    ...names.filter(down).map((unit) => ({ unit, verb: "start" as const, reason: startReason(unit, release) })),
  ];
}

function startReason(unit: string, { name, old, drift }: ReleaseStep): string {
  if (isDown(unit, drift)) return `${unit} is not active`;
  return old ? `it is new in release ${name}` : `release ${name} is new`;
}

/** Effects of changed files. For a removed file they come from its entry in the old manifest. */
function changed(old: Read | undefined, next: Read | undefined): Effect[] {
  const entries = [...(next?.files ?? []), ...(old?.files ?? [])];
  return fileChanges(old, next).flatMap(({ path, what }) => {
    const file = entries.find((entry) => entry.path === path);
    return file ? effectsOn(file, `${path} is ${what}`) : [];
  });
}

const effectsOn = ({ restarts, reloads }: ReadFile, reason: string): Effect[] => [
  ...restarts.map((unit) => ({ unit, verb: "restart" as const, reason })),
  ...reloads.map((unit) => ({ unit, verb: "reload" as const, reason })),
];

/** Files with merged secrets change on the host when a secret is rotated, and again when its old version is deleted. */
const merged = ({ files }: Read, rotated: ReadonlySet<string>): Effect[] =>
  files.flatMap((file) =>
    [...new Set(file.secrets.flatMap((name) => /^([^/]+)\/[^/]+$/.exec(name)?.[1] ?? []))]
      .filter((secret) => rotated.has(secret))
      .flatMap((secret) =>
        effectsOn(file, `${file.path} gets the new version of secret ${secret}, and loses the old one later`),
      ),
  );

/** Units that stop while data that the new image may alter is saved, and then start with that image. */
function guarded(old: Read | undefined, next: Read): Effect[] {
  const listed = (images: readonly string[]) => images.join(", ") || "none";
  return saved(old, next).flatMap(({ guard: { units }, was, is }) =>
    units.map((unit) => ({
      unit,
      verb: "restart" as const,
      reason: `image: ${listed(was)} becomes ${listed(is)}`,
    })),
  );
}

/** Guards with changed images: their data is saved first. Mirrors the agent's release/plan.py. */
export function saved(old: Read | undefined, next: Read | undefined) {
  if (!old || !next) return [];
  const guards = new Map([...old.guards, ...next.guards].map((guard) => [guard.name, guard]));
  return [...guards.values()]
    .map((guard) => ({ guard, was: watched(old, guard), is: watched(next, guard) }))
    .filter(({ was, is }) => [...was].sort().join("\n") !== [...is].sort().join("\n"));
}

interface Move {
  from: string;
  to: string;
}

/** Data to move: its directory is in the old manifest but not in the new one. Mirrors the agent's tree/moves.py. */
export function relocated(old: Read | undefined, next: Read | undefined): Move[] {
  const [before, after] = [old?.directories ?? [], next?.directories ?? []];
  const isGone = (path: string | undefined) =>
    before.some((directory) => directory.path === path) && !after.some((directory) => directory.path === path);
  const forward = after.map(({ path, formerly }) => ({ from: formerly ?? path, to: path }));
  const back = before
    .filter(({ formerly }) => after.some(({ path }) => path === formerly))
    .map(({ path, formerly }) => ({ from: path, to: formerly ?? path }));
  return [...forward, ...back].filter(({ from }) => isGone(from));
}

export const relocationWords = ({ from, to }: Move): string => `the contents of ${from} move to ${to}`;

function watched({ images, guards }: Read, guard: Read["guards"][number]): string[] {
  const own = guards.find(({ name }) => name === guard.name) ?? guard;
  const references = images.map(({ reference }) => reference);
  return references.filter((image) => own.images.length === 0 || own.images.includes(image));
}

/** Deletion of a release: its own units stop; other running units that use its files reload or restart. */
function removal({ name, old }: ReleaseStep, running: ReadonlySet<string>): Effect[] {
  const own = unitsOf(old);
  return [
    ...own.map((unit) => ({ unit, verb: "stop" as const, reason: `release ${name} is deleted` })),
    ...changed(old, undefined).filter(({ unit }) => !own.includes(unit) && running.has(unit)),
  ];
}

function strongest(unit: string, effects: readonly Effect[]): UnitImpact {
  const own = effects.filter((effect) => effect.unit === unit);
  const verb = VERBS.find((verb) => own.some((effect) => effect.verb === verb)) ?? "none";
  const reasons = [...new Set(own.filter((effect) => effect.verb === verb).map(({ reason }) => reason))];
  return { unit, verb, reasons };
}

function enablement(unit: string, releases: readonly ReleaseStep[]): { enabled?: boolean } {
  for (const { what, old, new: next, drift } of releases) {
    if (what === "forget") continue;
    const was = old?.units.find(({ name }) => name === unit);
    const is = next?.units.find(({ name }) => name === unit);
    const differs = is?.enabled !== was?.enabled || isSwitched(unit, drift);
    if (is?.enabled !== undefined && differs) return { enabled: is.enabled };
    if (was?.enabled && !is) return { enabled: false };
  }
  return {};
}
