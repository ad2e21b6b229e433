// Schemas with values that are not known yet.
import { z } from "zod";

/** Marks a value that decides which resources exist, and therefore must be known when a component is declared. */
export const PLAIN = { plain: true } as const;

/** Whether the value at this path must be known when a component is declared. */
export function isPlain(schema: z.ZodType | undefined, [key, ...rest]: readonly PropertyKey[]): boolean {
  const { marked, inner } = unwrapped(schema);
  if (key === undefined) return marked;
  return isPlain(below(inner, key), rest);
}

/** A schema without its defaults, and whether it or one around it is marked. */
function unwrapped(schema: z.ZodType | undefined): { marked: boolean; inner: z.ZodType | undefined } {
  const marked = schema?.meta()?.plain === true;
  if (!(schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)) return { marked, inner: schema };
  const { marked: within, inner } = unwrapped(schema.unwrap() as z.ZodType);
  return { marked: marked || within, inner };
}

function below(schema: z.ZodType | undefined, key: PropertyKey): z.ZodType | undefined {
  if (schema instanceof z.ZodObject) return schema.shape[key as string] as z.ZodType | undefined;
  if (schema instanceof z.ZodRecord) return schema.valueType as z.ZodType;
  if (schema instanceof z.ZodArray) return schema.element as z.ZodType;
  return undefined;
}

/** What zod expects where a table or a list belongs. */
const TABLES: unknown[] = ["object", "record", "array"];

/**
 * A value with the defaults of its schema, although it has faults, which stay as they are.
 *
 * @returns `whole` unless something else stands where a table or a list belongs.
 */
export function partly<Schema extends z.ZodType>(schema: Schema, given: unknown) {
  // As zod's own `parse` does, which returns no value with faults.
  const result = schema._zod.run({ value: given, issues: [] }, { async: false });
  if (result instanceof Promise) throw new Error("the schema is not synchronous");
  return { value: result.value as z.output<Schema>, whole: isWhole(result.issues) };
}

/** Whether no issue is that something else stands where a table or a list belongs. */
export const isWhole = (issues: readonly z.core.$ZodRawIssue[]): boolean =>
  !issues.some((issue) => issue.code === "invalid_type" && TABLES.includes(issue.expected));

/** The schema of the value at a path; undefined if it has none. */
export function schemaAt(schema: z.ZodType | undefined, [key, ...rest]: readonly PropertyKey[]): z.ZodType | undefined {
  return key === undefined ? schema : schemaAt(below(unwrapped(schema).inner, key), rest);
}
