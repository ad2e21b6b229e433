import { z } from "zod";
import { PROTOCOL } from "./manifest.ts";

/** Kinds of differences. */
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
  "key",
  "other",
] as const;

/** A difference between the host and the last applied state. */
export const differenceSchema = z.object({
  /** A newer agent may report kinds that this program does not know. */
  kind: z.enum(DIFFERENCE_KINDS).catch("other"),
  /** The path, unit, probe, group, account, package or release that differs. */
  name: z.string(),
  /** How it differs, as one word such as `missing`, `content`, `inactive` or `reloading`. */
  what: z.string(),
  /** Description of the difference in one line. */
  message: z.string(),
  /** Diff of a changed file, without secrets. Empty if there is none. */
  diff: z.string().default(""),
  /** Current IDs of a group or an account. */
  now: z.record(z.string(), z.number()).default({}),
});
export type Difference = z.output<typeof differenceSchema>;

/** A message from an agent without kinds; the lines below it are a diff. */
const unclassified = (text: string): Difference => {
  const [message = "", ...diff] = text.split("\n");
  return { kind: "other", name: "", what: "", message, diff: diff.join("\n"), now: {} };
};

const item = z
  .object({
    due: z.string(),
    /** Only the messages and diffs, for programs that do not know `differences`. */
    drifted: z.array(z.string()).default([]),
    /** Absent from older agents. */
    differences: z.array(differenceSchema).optional(),
    /** Operation in progress on the item; its differences are unknown until it ends. */
    busy: z.string().optional(),
    /** SHA-256 of the document that the host received last; absent from older agents. */
    document: z.string().optional(),
    /** For a release: SHA-256 of its stack and of the names that it uses on the host; absent from older agents. */
    claims: z.string().optional(),
    /** For a release: the directories and databases that stay after its removal; absent from older agents. */
    data: z.array(z.string()).optional(),
    /** For a release: checksum of the sketch that its stack wanted when it was applied last; absent from older agents. */
    sketch: z.string().optional(),
  })
  .transform(({ drifted, differences = drifted.map(unclassified), ...rest }) => ({ ...rest, differences }));

/** Output of `gatehouse facts`: the due number and the drift of each item on the host. */
export const factsSchema = z.object({
  protocol: z.int().max(PROTOCOL, {
    error: ({ input }) =>
      `the agent on the host speaks protocol ${input}, this program only ${PROTOCOL}: another stack uses a newer gatehouse there; update this program`,
  }),
  /** Name of the host in due numbers; each installation has its own. */
  machine: z.string(),
  /** Problems that need an operator, each with the command that resolves it; absent from older agents. */
  warnings: z.array(z.string()).default([]),
  items: z.record(z.string(), item),
  /**
   * By `PROJECT/STACK`: the releases that it declared in its last `pulumi up`, each with the checksum of its sketch;
   * absent from older agents.
   */
  wants: z.record(z.string(), z.record(z.string(), z.string())).optional(),
});
/** What a host reported in an inspection: its name in due numbers, and how each item differs from its last state. */
export type Facts = z.output<typeof factsSchema>;
