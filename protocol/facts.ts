import { z } from "zod";
import { PROTOCOL } from "./manifest.ts";

/** What a difference is about. */
export const DIFFERENCE_KINDS = [
  "file",
  "directory",
  "drop-in",
  "runtime",
  "unit",
  "probe",
  "generation",
  "group",
  "account",
  "package",
  "other",
] as const;

/** One way in which the host differs from what the last apply left. */
export const differenceSchema = z.object({
  /** An agent may know more kinds than this program. */
  kind: z.enum(DIFFERENCE_KINDS).catch("other"),
  /** The path, unit, probe, group, account, package or release that differs. */
  name: z.string(),
  /** How it differs, as one word such as `missing`, `content`, `inactive` or `reloading`. */
  what: z.string(),
  /** The same for people, in one line. */
  message: z.string(),
  /** What changed in a file, without secrets. Empty where there is no diff. */
  diff: z.string().default(""),
  /** Numbers that a group or an account has now. */
  now: z.record(z.string(), z.number()).default({}),
});
export type Difference = z.output<typeof differenceSchema>;

/** A sentence of an agent that knows no kinds, with a diff in the lines below it. */
const unclassified = (text: string): Difference => {
  const [message = "", ...diff] = text.split("\n");
  return { kind: "other", name: "", what: "", message, diff: diff.join("\n"), now: {} };
};

const item = z
  .object({
    due: z.string(),
    /** The messages and diffs alone, for programs that know no `differences`. */
    drifted: z.array(z.string()).default([]),
    /** Absent from older agents. */
    differences: z.array(differenceSchema).optional(),
    /** What is being done with it at this moment; how it differs is not known then. */
    busy: z.string().optional(),
    /** SHA-256 of the document that was given last; absent from older agents. */
    document: z.string().optional(),
    /** Of a release: SHA-256 of its stack and of the names that it has on the host; absent from older agents. */
    claims: z.string().optional(),
  })
  .transform(({ drifted, differences = drifted.map(unclassified), ...rest }) => ({ ...rest, differences }));

/** What `gatehouse facts` answers: for each item on the host its due number, and how it differs from what was left. */
export const factsSchema = z.object({
  protocol: z.int().max(PROTOCOL, {
    error: ({ input }) =>
      `the agent on the host speaks protocol ${input}, this program only ${PROTOCOL}: another stack uses a newer gatehouse there; update this program`,
  }),
  /** The host's name for due numbers; another one for each installation. */
  machine: z.string(),
  /** What needs an operator, each with the command that helps; absent from older agents. */
  warnings: z.array(z.string()).default([]),
  items: z.record(z.string(), item),
});
export type Facts = z.output<typeof factsSchema>;
