import { randomUUID } from "node:crypto";

// While the program runs, a placeholder begins with a random string that differs in each run, so that no value can
// contain it. The document can therefore distinguish placeholders from values that look like one.
const BEGINNING = `<${randomUUID()} `;
const LOOKS_LIKE_IT = /<(?=[\w.-]+ of [\w -]+>)/g;

/** Placeholder in a preview for a value that is not known yet, such as `<gid of postgres-clients>` or `<domain of prod>`. */
export const placeholder = (what: string): string => `${BEGINNING}${what}>`;

/** Whether a value is a text with a placeholder in it. */
export const holdsPlaceholder = (value: unknown): boolean => typeof value === "string" && value.includes(BEGINNING);

/** The texts of a list without those that are not known yet; none if the list itself is not. */
export const withoutPlaceholders = (texts: unknown): string[] =>
  Array.isArray(texts) ? texts.filter((text) => !holdsPlaceholder(text)) : [];

/** Writes the placeholders of a text in readable form. */
export const withPlaceholders = (text: string): string => text.replaceAll(BEGINNING, "<");

/** Whether a text contains a string that looks like a placeholder. */
export const looksLikePlaceholder = (text: string): boolean => text.search(LOOKS_LIKE_IT) >= 0;

/** Escapes `<` in a quoted text wherever a value looks like a placeholder. */
export const withoutLookalikes = (quoted: string): string => quoted.replace(LOOKS_LIKE_IT, "\\u003c");
