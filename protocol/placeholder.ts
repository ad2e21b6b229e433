import { randomUUID } from "node:crypto";

// While the program runs, a placeholder begins with a random string that differs in each run, so that no value can
// contain it. The document can therefore distinguish placeholders from values that look like one.
const BEGINNING = `<${randomUUID()} `;
const LOOKS_LIKE_IT = /<(?=[a-z]+ of [\w-]+>)/g;

/** Placeholder in a preview for a value that the host has not returned yet, such as `<gid of postgres-clients>`. */
export const placeholder = (what: string): string => `${BEGINNING}${what}>`;

/** Writes the placeholders of a text in readable form. */
export const withPlaceholders = (text: string): string => text.replaceAll(BEGINNING, "<");

/** Whether a text contains a string that looks like a placeholder. */
export const looksLikePlaceholder = (text: string): boolean => text.search(LOOKS_LIKE_IT) >= 0;

/** Escapes `<` in a quoted text wherever a value looks like a placeholder. */
export const withoutLookalikes = (quoted: string): string => quoted.replace(LOOKS_LIKE_IT, "\\u003c");
