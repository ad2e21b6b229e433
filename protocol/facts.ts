import { z } from "zod";
import { PROTOCOL } from "./manifest.ts";

/** What `gatehouse facts` answers: for each item on the host its due number, and how it differs from what was left. */
export const factsSchema = z.object({
  protocol: z.int().max(PROTOCOL, {
    error: ({ input }) =>
      `the agent on the host speaks protocol ${input}, this program only ${PROTOCOL}: another stack uses a newer gatehouse there; update this program`,
  }),
  /** The host's name for due numbers; another one for each installation. */
  machine: z.string(),
  /** What is not as it should be and not gatehouse's to change, each with what mends it; an agent of before tells none. */
  warnings: z.array(z.string()).default([]),
  items: z.record(
    z.string(),
    z.object({
      due: z.string(),
      drifted: z.array(z.string()),
      /** What is being done with it at this moment; how it differs is not known then. */
      busy: z.string().optional(),
      /** SHA-256 of the document that was given last; an agent of before does not tell. */
      document: z.string().optional(),
      /** Of a release: SHA-256 of its stack and of the names that it has on the host; an agent of before does not tell. */
      claims: z.string().optional(),
    }),
  ),
});
export type Facts = z.infer<typeof factsSchema>;

/** The due number of an item that was applied without asking the host first. */
export const NEVER_ASKED = "never-asked";
