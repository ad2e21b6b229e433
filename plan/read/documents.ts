// The documents that the program sends, read back.
import { parse } from "smol-toml";
import { readManifest as manifestOf, type Read } from "../../protocol/manifest.ts";

export type { Read };
export type ReadFile = Read["files"][number];

/** Reads a manifest. */
export const readManifest = (document: string): Read => manifestOf(parse(document));

/** The document without its closing line, whose number of bytes a placeholder makes another one. */
export const unsealed = (document: string): string => document.replace(/# gatehouse: \d+ bytes\n$/, "");

/** Reads a document for a group, an account or a set of packages: names, numbers and lists of names. */
export const readTable = (document: string): Record<string, unknown> => parse(document);
