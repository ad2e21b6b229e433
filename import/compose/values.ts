// Values in a compose file: texts with variables, lists, and names with values.
import type { DraftContainer } from "../draft.ts";
import type { Place } from "../findings.ts";
import { interpolated, type Lookup, split } from "../words.ts";
import type { Node } from "../yaml.ts";

export const entriesOf = (node: Node | undefined): ReadonlyMap<string, Node> =>
  node?.kind === "map"
    ? node.entries
    : new Map(node?.kind === "list" ? node.items.map((one) => [String(scalarOf(one)), one]) : []);

export const listOf = (node: Node | undefined): Node[] =>
  node === undefined ? [] : node.kind === "list" ? node.items : [node];

export const scalarOf = (node: Node | undefined) => (node?.kind === "scalar" ? node.value : undefined);

export const textOf = (node: Node | undefined, lookup: Lookup): string => {
  const value = scalarOf(node);
  return value === undefined || value === null ? "" : interpolated(String(value), lookup).text;
};

/** Names and values, of a map or of a list of NAME=VALUE. */
export function pairsOf(node: Node, separator = /=/): { name: string; value: string | undefined; line: number }[] {
  if (node.kind === "map")
    return [...node.entries].map(([name, value]) => {
      const given = scalarOf(value);
      return { name, value: given === null || given === undefined ? undefined : String(given), line: value.line };
    });
  return listOf(node).map((one) => {
    const text = String(scalarOf(one) ?? "");
    const at = text.search(separator);
    return at < 0
      ? { name: text, value: undefined, line: one.line }
      : { name: text.slice(0, at), value: text.slice(at + 1), line: one.line };
  });
}

/** With its variables; those without a value are listed. */
export function filled(container: DraftContainer, text: string, place: Place, key: string, lookup: Lookup): string {
  const { text: result, missing } = interpolated(text, lookup);
  for (const name of missing) container.lost(place, key, `\${${name}} has no value in .env`);
  return result;
}

/** Whether every variable in a text has a value. */
export const hasAll = (node: Node, lookup: Lookup): boolean =>
  interpolated(String(scalarOf(node) ?? ""), lookup).missing.length === 0;

export const scalar = (container: DraftContainer, node: Node, place: Place, key: string, lookup: Lookup): string =>
  filled(container, String(scalarOf(node) ?? ""), place, key, lookup);

export function wordsOf(container: DraftContainer, node: Node, place: Place, key: string, lookup: Lookup): string[] {
  if (node.kind === "list")
    return node.items.map((one) => filled(container, String(scalarOf(one)), place, key, lookup));
  return scalarOf(node) === null ? [] : split(scalar(container, node, place, key, lookup));
}
