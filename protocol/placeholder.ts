import { randomUUID } from "node:crypto";

// While the program runs a placeholder begins with what no value can hold, since it is another one in each run: in the
// document it is told from a value that looks like it.
const BEGINNING = `<${randomUUID()} `;
const LOOKS_LIKE_IT = /<(?=[a-z]+ of [\w-]+>)/g;

/** What stands in a preview for a value that the host has not answered yet, such as `<gid of postgres-clients>`. */
export const placeholder = (what: string): string => `${BEGINNING}${what}>`;

/** A text whose placeholders, and no others, look as one. */
export const withPlaceholders = (text: string): string => text.replaceAll(BEGINNING, "<");

/** Whether a text has something in it that would be taken for a placeholder. */
export const looksLikePlaceholder = (text: string): boolean => text.search(LOOKS_LIKE_IT) >= 0;

/** A text in quotes in which nothing of its own looks like a placeholder: `<` is written as an escape there. */
export const withoutLookalikes = (quoted: string): string => quoted.replace(LOOKS_LIKE_IT, "\\u003c");
