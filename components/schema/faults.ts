// Faults in a configuration: their paths and messages.
import type { z } from "zod";

export type Fault = Pick<z.core.$ZodIssue, "path" | "message">;

/** The faults that zod found, one for each correction to make; empty without an error. */
export const faultsOf = (error: z.ZodError | undefined): Fault[] => error?.issues.flatMap(flat) ?? [];

/** The faults in a value, by a schema. */
export const faultsIn = (schema: z.ZodType, given: unknown): Fault[] =>
  faultsOf(schema.safeParse(given, { error: defaultMessage }).error);

/** Message for a value if the schema does not define one. */
export function defaultMessage(issue: z.core.$ZodRawIssue): string | undefined {
  const got = issue.input === undefined ? "nothing" : JSON.stringify(issue.input);
  if (issue.code === "invalid_type") return `expected ${KINDS[issue.expected] ?? issue.expected}, got ${got}`;
  if (issue.code === "invalid_value") return `expected one of ${issue.values.join(", ")}, got ${got}`;
  if (issue.code === "too_small") return `expected at least ${issue.minimum}, got ${got}`;
  if (issue.code === "too_big") return `expected at most ${issue.maximum}, got ${got}`;
  return undefined;
}

const KINDS: Record<string, string> = {
  object: "keys and values",
  record: "keys and values",
  string: "text",
  boolean: "true or false",
  int: "a whole number",
  number: "a number",
  array: "a list",
};

// zod combines the unknown keys of a table, or the faults of a key, in one issue; split them into one fault each.
function flat(issue: z.core.$ZodIssue): Fault[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => ({ path: [...issue.path, key], message: "unknown key" }));
  if (issue.code === "invalid_key" || issue.code === "invalid_element")
    return issue.issues.map(({ message }) => ({ path: issue.path, message }));
  return [issue];
}
