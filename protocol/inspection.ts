// What the program found when it inspected the host, as it hands this to `npm run plan` and `npm run drift`.
import { z } from "zod";
import { factsSchema } from "./facts.ts";

/** The facts of the host, or why it cannot be reached. */
export const inspectionSchema = z.union([
  z.strictObject({ facts: factsSchema }),
  z.strictObject({ unreachable: z.string() }),
]);
export type Inspection = z.infer<typeof inspectionSchema>;
