// Why the agent did not apply or remove an item: one line of JSON in place of its answer.
import { z } from "zod";

/** What an exit status of the agent says. */
interface Exit {
  code: number;
  /** In words, as the agent names it to the program; none where there is no failure of an item. */
  meaning?: string;
  /** For the table of docs/manifest.md: what happened, the state of the host, and the remedy. */
  what: string;
  host: string;
  remedy: string;
}

export const EXITS = [
  { code: 0, what: "done, or nothing to do", host: "in sync with the manifest", remedy: "" },
  {
    code: 1,
    meaning: "refused",
    what: "refused, or a preparation failed",
    host: "running services are untouched; directories may have been created, packages partly installed",
    remedy: "Correct the cause that the message names, and run `pulumi up` again.",
  },
  {
    code: 2,
    what: "invalid usage: an unknown command or option, a missing or invalid argument",
    host: "untouched",
    remedy: "Happens only on manual calls: the message lists the allowed values.",
  },
  {
    code: 3,
    meaning: "rolled back",
    what: "failed and rolled back",
    host: "the previous generation, healthy",
    remedy: "Read the failing probe and the lines of the journal, correct the cause, and run `pulumi up` again.",
  },
  {
    code: 4,
    meaning: "rolled back, unhealthy",
    what: "rolled back but not healthy",
    host: "the previous files; the service is unhealthy",
    remedy:
      "It may have been unhealthy before: check with `systemctl status` and `journalctl`. The next `pulumi up` can change it.",
  },
  {
    code: 5,
    meaning: "removed again",
    what: "failed, and there was no previous generation",
    host: "the files of the release are removed again; data and the effects of steps stay",
    remedy: "Read the failing probe and the lines of the journal, correct the cause, and run `pulumi up` again.",
  },
  {
    code: 6,
    meaning: "not rolled back",
    what: "failed and not rolled back",
    host: "the new files and the new image, running or trying to; the data as the new image left it",
    remedy:
      "Find out why the restore failed (printed; for example a full disk). The next `pulumi up` continues from here. Before it, check the databases as described below the table.",
  },
  {
    code: 70,
    meaning: "internal error",
    what: "an internal error of the agent, or a full disk",
    host: "possibly half applied",
    remedy:
      "Free disk space, or report the error with its trace; the next apply or boot undoes the interrupted changes.",
  },
] as const satisfies readonly Exit[];

const failures = EXITS.filter((exit) => "meaning" in exit);
export type Meaning = (typeof failures)[number]["meaning"];

const named = z.object({ kind: z.string(), name: z.string() });

export const failureSchema = z.object({
  verb: z.enum(["apply", "remove"]),
  item: named.meta({ description: "Kind (`group`, `account`, `packages`, `key` or `release`) and name of the item." }),
  code: z.int().meta({ description: "Exit status." }),
  meaning: z
    .enum(failures.map(({ meaning }) => meaning))
    .meta({ codes: Object.fromEntries(failures.map(({ code, meaning }) => [meaning, code])) }),
  at: named.optional().meta({
    description: "The part that failed, if it is a single one: its table in the manifest, or `package`, and its name.",
  }),
});
export type Failure = z.output<typeof failureSchema>;

/** What happened, the state of the host and the remedy. */
export const exitOf = ({ meaning }: Failure) =>
  failures.find((exit) => exit.meaning === meaning) as (typeof failures)[number];

/** Finds the failure in the output of the agent; undefined if it reported none, or one that this program cannot read. */
export function readFailure(output: string): Failure | undefined {
  for (const line of output.split("\n").filter((line) => line.startsWith('{"failure":')))
    try {
      return z.object({ failure: failureSchema }).parse(JSON.parse(line)).failure;
    } catch {
      // An application printed this line, or an agent of another version.
    }
  return undefined;
}
