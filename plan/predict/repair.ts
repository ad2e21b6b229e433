// What the repair of a difference on the host does to units.
import type { Difference } from "../../protocol/facts.ts";
import type { Read } from "../read/documents.ts";
import type { Effect } from "./effect.ts";

/** Of a difference whose repair depends on the host: at most a restart of all units. */
export function repairOf({ kind, name, what, message }: Difference, old: Read | undefined, next: Read): Effect[] {
  const units = next.units.map((unit) => unit.name);
  const restart = (names: readonly string[], reason = message) =>
    names.map((unit) => ({ unit, verb: "restart" as const, reason }));
  const reload = (names: readonly string[], reason = message) =>
    names.map((unit) => ({ unit, verb: "reload" as const, reason }));
  switch (kind) {
    case "file": {
      const file = next.files.find(({ path }) => path === name);
      if (file) return [...restart(file.restarts), ...reload(file.reloads)];
      // A file that leaves the manifest has an effect by its removal.
      return old?.files.some(({ path }) => path === name) ? [] : restart(units, `at most: ${message}`);
    }
    case "directory":
      return [];
    case "drop-in":
      return restart(alteredBy(name, next));
    case "runtime":
      return restart(units);
    case "unit":
      return what === "reloading" ? restart([name]) : [];
    case "probe": {
      // A reload may be enough, as where Podman writes its rules again.
      const through = next.probes.find((probe) => probe.name === name)?.through;
      return through ? reload([through], `at most: ${message}`) : restart(units, `at most: ${message}`);
    }
    default:
      return restart(units, `at most: ${message}`);
  }
}

/** The units that a drop-in alters, by what its directory is named after: a unit, or a file or another drop-in of one. */
function alteredBy(path: string, { units, files }: Read): readonly string[] {
  const [, name] = /\/([^/]+)\.d(?:\/[^/]+)?$/.exec(path) ?? [];
  if (name === undefined) return [];
  if (units.some((unit) => unit.name === name)) return [name];
  const file = files.find(({ path }) =>
    path
      .split("/")
      .slice(-2)
      .some((part) => part === name || part === `${name}.d`),
  );
  return file?.restarts ?? [];
}

const isUnit = (unit: string, whats: readonly string[], drift: readonly Difference[]): boolean =>
  drift.some(({ kind, name, what }) => kind === "unit" && name === unit && whats.includes(what));

/** Whether a unit does not run, though the last apply left it running. */
export const isDown = (unit: string, drift: readonly Difference[]): boolean => isUnit(unit, ["inactive"], drift);

/** Whether an operator enabled or disabled a unit. */
export const isSwitched = (unit: string, drift: readonly Difference[]): boolean =>
  isUnit(unit, ["enabled", "disabled"], drift);
