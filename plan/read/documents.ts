// Reads the documents that the program sends.
import { parse } from "smol-toml";
import { readManifest as manifestOf, type Read } from "../../protocol/manifest.ts";

export type { Read };
export type ReadFile = Read["files"][number];

const manifests = new Map<string, Read>();

/** Reads a manifest; once, although most are the same before and after. */
export function readManifest(document: string): Read {
  const manifest = manifests.get(document) ?? manifestOf(parse(document));
  manifests.set(document, manifest);
  return manifest;
}

/** The document without its last line: the byte count there changes with a placeholder's length. */
export const unsealed = (document: string): string => document.replace(/# gatehouse: \d+ bytes\n$/, "");

/** Reads the document of a group, an account or a set of packages. */
export const readTable = (document: string): Record<string, unknown> => parse(document);
