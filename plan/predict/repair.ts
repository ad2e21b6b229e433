// The effects on units of reverting drift.
import type { Difference } from "../../protocol/facts.ts";
import type { Read } from "../read/documents.ts";
import type { Effect } from "./effect.ts";

/** If the repair depends on the state of the host, assumes the most that can happen, such as a restart of all units. */
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
      // A file that leaves the manifest already has the effects of its removal.
      return old?.files.some(({ path }) => path === name) ? [] : restart(units, `worst case: ${message}`);
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
      // Less may be enough, for example when Podman rewrites its firewall rules.
      const through = next.probes.find((probe) => probe.name === name)?.through;
      return through ? reload([through], `worst case: ${message}`) : restart(units, `worst case: ${message}`);
    }
    default:
      return restart(units, `worst case: ${message}`);
  }
}

/** The units that a drop-in alters. Its directory is named after a unit or a managed file, or has a managed drop-in. */
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

/** Whether a unit that ran after the last apply is no longer running. */
export const isDown = (unit: string, drift: readonly Difference[]): boolean => isUnit(unit, ["inactive"], drift);

/** Whether a unit was enabled or disabled outside gatehouse. */
export const isSwitched = (unit: string, drift: readonly Difference[]): boolean =>
  isUnit(unit, ["enabled", "disabled"], drift);
