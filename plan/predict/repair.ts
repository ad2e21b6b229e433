// What it does to units when a difference on the host is put right; the agent's drift/unmanaged.py and drift/facts.py tell them.
import type { Read } from "../read/documents.ts";
import type { Effect } from "./effect.ts";

/** Of what cannot be told from here, such as the content of another generation: at most a restart of all units. */
export function repairOf(told: string, old: Read | undefined, next: Read): Effect[] {
  const units = next.units.map(({ name }) => name);
  const restart = (names: readonly string[], reason = told) =>
    names.map((unit) => ({ unit, verb: "restart" as const, reason }));
  const file = next.files.find(({ path }) => isAbout(told, path));
  if (file)
    return [
      ...restart(file.restarts),
      ...file.reloads.map((unit) => ({ unit, verb: "reload" as const, reason: told })),
    ];
  // Of a file that leaves the manifest its going tells.
  if (old?.files.some(({ path }) => isAbout(told, path))) return [];
  if (next.directories.some(({ path }) => isAbout(told, path)) || / is (not )?(active|enabled)$/.test(told)) return [];
  const [, folder] = /^\S*\/([^/\s]+)\.d\/[^/]+ belongs to no release$/.exec(told) ?? [];
  if (folder !== undefined) return restart(dropIn(folder, next));
  // It may be enough to have Podman write its rules again, or to wait.
  const ill = next.probes.find(({ name }) => told.startsWith(`probe ${name}: `));
  if (ill?.through) return [{ unit: ill.through, verb: "reload", reason: `at most: ${told}` }];
  const [, hung] = /^the reload of (\S+) does not end$/.exec(told) ?? [];
  if (hung !== undefined) return restart([hung]);
  // A runtime directory, or a socket in one: a restart makes it anew.
  if (told.startsWith("/run/")) return restart(units);
  return restart(units, `at most: ${told}`);
}

const isAbout = (told: string, path: string) => told.startsWith(`${path} `) || told.startsWith(`${path}:`);

/** The units that a drop-in alters, by what its folder is named after: a unit, or a file or another drop-in of one. */
function dropIn(name: string, { units, files }: Read): readonly string[] {
  if (units.some((unit) => unit.name === name)) return [name];
  const file = files.find(({ path }) =>
    path
      .split("/")
      .slice(-2)
      .some((part) => part === name || part === `${name}.d`),
  );
  return file?.restarts ?? [];
}

/** Whether a unit does not run, though the last apply left it running. */
export const isDown = (unit: string, told: readonly string[]): boolean => told.includes(`${unit} is not active`);

/** Whether somebody enabled or disabled a unit by hand. */
export const isSwitched = (unit: string, told: readonly string[]): boolean =>
  told.includes(`${unit} is enabled`) || told.includes(`${unit} is not enabled`);
