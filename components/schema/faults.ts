// Faults in a configuration: their paths and messages.
import type { z } from "zod";
import { schemaAt } from "./partly.ts";

export type Fault = Pick<z.core.$ZodIssue, "path" | "message">;

/** The faults in a value, by a schema: one for each correction to make. */
export function faultsIn(schema: z.ZodType, given: unknown): Fault[] {
  const { error } = schema.safeParse(given, { error: defaultMessage });
  return (
    error?.issues.flatMap((issue) => [
      ...flat(issue),
      ...(issue.code === "invalid_key" ? below(schema, given, issue) : []),
    ]) ?? []
  );
}

/** Faults below an invalid key: zod does not read its value. */
function below(schema: z.ZodType, given: unknown, { path }: Fault): Fault[] {
  const inner = schemaAt(schema, path);
  const value = path.reduce<unknown>((table, key) => Reflect.get(Object(table), key), given);
  return inner ? faultsIn(inner, value).map((fault) => ({ ...fault, path: [...path, ...fault.path] })) : [];
}

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
