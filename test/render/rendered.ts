// Helpers for tests that check single lines.
import type { Manifest } from "../../protocol/manifest.ts";
import { CASES, manifestsOf, type Parts, partsOf } from "./cases.ts";
import { treeOf } from "./golden.ts";

const parts = Object.fromEntries(Object.entries(CASES).map(([name, configuration]) => [name, partsOf(configuration)]));

export const partsOfCase = (name: string): Parts => {
  const found = parts[name];
  if (!found) throw new Error(`there is no case ${name}`);
  return found;
};

/** A rendered file of a case, without its comments. */
export const file = (name: string, path: string): string => fileOf(manifestsOf(partsOfCase(name)), path);

/** A file of these manifests, without its comments. */
export function fileOf(manifests: readonly Manifest[], path: string): string {
  const content = treeOf(manifests)[path];
  if (content === undefined) throw new Error(`${path} is not rendered`);
  return content.replace(/^\s*#(?!!).*\n/gm, "");
}

/** The values of a key in a unit file, in order. */
export const values = (unit: string, key: string): string[] =>
  unit.split("\n").flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

/** The lines of one section of a unit file. */
export function section(unit: string, name: string): string[] {
  const lines = unit.split("\n");
  const start = lines.indexOf(`[${name}]`);
  if (start < 0) return [];
  const end = lines.findIndex((line, at) => at > start && line.startsWith("["));
  return lines.slice(start + 1, end < 0 ? undefined : end).filter((line) => line !== "");
}
