// Faults between values, such as two sites of one domain.
import type { z } from "zod";
import type { Fault } from "./faults.ts";
import { isWhole } from "./partly.ts";

/** Keys from the outermost table inwards. */
export type Path = readonly PropertyKey[];

/**
 * A schema that also refuses values that do not fit together, and reports them beside invalid values. `clashes` gets
 * invalid values as they are given, no entry with an invalid key, and the paths of both. A fault at a path that is
 * reported already, or contains it, is left out. If a value other than a table or a list is in the place of one, nothing
 * is compared.
 */
export const withClashes = <Schema extends z.ZodType>(
  schema: Schema,
  clashes: (value: z.output<Schema>, invalid: readonly Path[]) => Iterable<Fault>,
): Schema =>
  schema.superRefine(
    (value, context) => {
      const invalid = context.issues.map(({ path = [] }) => path);
      const isReported = (path: Path) => invalid.some((other) => path.every((key, index) => key === other[index]));
      for (const { path, message } of clashes(value, invalid))
        if (!isReported(path)) context.addIssue({ code: "custom", path: [...path], message });
    },
    { when: ({ issues }) => isWhole(issues) },
  );
